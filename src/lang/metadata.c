/* metadata.c - what stands below `metadata.pawl`, the one key by which this engine adds to the
 * language. It has a published schema (metadata.schema.json), and test/unit/lang/metadata_test.c
 * holds the two together. What is planned is refused by name until it exists: a document that says
 * how to compensate must not run where nothing is compensated. */
#include "lang/lang_internal.h"

extern const char pw_metadata_schema[]; /* metadata.schema.json, by tools/embed.py */

const char *pw_lang_metadata_schema(void)
{
    return pw_metadata_schema;
}

/* By pw_metadata_of. */
static const char *const later[][3] = {
    { "compensation", NULL },
    { "compensate", "resilience", NULL },
    { "compensate", "resilience", NULL },
};

static void check_key(pw_load *load, const pw_node *key, const pw_path *path, pw_metadata_of of)
{
    pw_str shown = pw_lang_shown(load, key->text);
    if (of != PW_METADATA_OF_DOCUMENT && pw_str_is(key->text, "parentClose")) {
        if (of == PW_METADATA_OF_TASK) /* else run.c reads it */
            pw_lang_error(load, key, path, "'parentClose' is of tasks that run a workflow");
        return;
    }
    if (of == PW_METADATA_OF_DOCUMENT && pw_str_is(key->text, "schedule")) /* schedule.c reads it */
        return;
    pw_nearest nearest = pw_nearest_to(key->text);
    if (of == PW_METADATA_OF_DOCUMENT)
        pw_nearest_try(load, &nearest, PW_LIT("schedule"));
    if (of == PW_METADATA_OF_RUN)
        pw_nearest_try(load, &nearest, PW_LIT("parentClose"));
    for (const char *const *name = later[of]; *name; name++) {
        if (pw_str_is(key->text, *name)) {
            pw_lang_found(load, PAWL_FINDING_NOT_SUPPORTED, key, path,
                          "`metadata.pawl.%s` is not there yet in this release of pawl", *name);
            return;
        }
        pw_nearest_try(load, &nearest, pw_str_of(*name));
    }
    pw_str hint = pw_nearest_hint(load, &nearest);
    pw_lang_found(load, PAWL_FINDING_UNKNOWN_MEMBER, key, path,
                  "unknown member '" PW_FMT "' of 'metadata.pawl'" PW_FMT, PW_ARG(shown),
                  PW_ARG(hint));
}

void pw_lang_metadata(pw_load *load, const pw_node *node, const pw_path *path, pw_metadata_of of)
{
    if (!pw_lang_is_map(load, node, path))
        return;
    const pw_node *ours = pw_lang_get(node, "pawl");
    const pw_path *step = PW_STEP(path, "pawl");
    if (!pw_lang_is_map(load, ours, step))
        return;
    if (load->findings->portable)
        pw_lang_found(load, PAWL_FINDING_NOT_PORTABLE, pw_lang_key(node, "pawl"), step,
                      "only pawl reads 'metadata.pawl': others ignore it without a word");
    for (uint32_t i = 0; i < ours->count; i++)
        check_key(load, ours->pairs[i].key, PW_STEP_KEY(step, ours->pairs[i].key), of);
}
