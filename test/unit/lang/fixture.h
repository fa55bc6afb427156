/* What the tests of lang share: a document loaded, with its findings. */
#ifndef PW_LANG_FIXTURE_H
#define PW_LANG_FIXTURE_H

#include "test.h"
#include "lang/lang.h"

#define HEAD "document: { dsl: 1.0.3, namespace: test, name: broken, version: 1.0.0 }\n"

typedef struct loaded {
    pw_arena arena;
    pw_findings findings;
    pw_program *program; /* NULL: refused */
    pawl_code code;
    pawl_error err;
} loaded;

void load_text(loaded *l, pw_str text);
/* With HEAD before it. Fails the test if it does not load without a finding. */
void load_good(loaded *l, const char *body);
void unload(loaded *l);
/* "LINE:COLUMN: message\n" for each finding, with "warning: " before the message of one; to free()
 */
char *findings_text(const loaded *l);
/* JSON of a value, in l's arena. */
const char *json_of(loaded *l, pw_value value);
const pw_task *task_at(const loaded *l, const char *pointer);
#endif
