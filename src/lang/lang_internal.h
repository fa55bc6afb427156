/* lang_internal.h - what the files of this room share.
 *
 * Loading goes in three passes over one struct: text to nodes (yaml.c or json.c, both through
 * tree.c), nodes to findings and tasks (document.c, tasks.c, ...), tasks to the finished program
 * (lang.c). Nobody here checks for a failed allocation: the arenas jump to `guard`. */
#ifndef PW_LANG_INTERNAL_H
#define PW_LANG_INTERNAL_H

#include "lang/lang.h"

/* Lists and maps within each other; a document of people never comes near. */
#define PW_LANG_DEPTH_MAX 200u
/* Values in a document, aliases written out; 32 bytes of text count as one more. */
#define PW_LANG_VALUES_MAX 4000000u

/* ---- nodes: the document with places */

typedef enum pw_node_kind { PW_NODE_SCALAR, PW_NODE_LIST, PW_NODE_MAP } pw_node_kind;
typedef enum pw_scalar_style {
    PW_STYLE_PLAIN,
    PW_STYLE_SINGLE,
    PW_STYLE_DOUBLE,
    PW_STYLE_LITERAL,
    PW_STYLE_FOLDED,
} pw_scalar_style;

typedef struct pw_node pw_node;
typedef struct pw_pair {
    const pw_node *key; /* a scalar; its text is the key */
    const pw_node *value;
} pw_pair;

struct pw_node {
    uint8_t kind, style;
    bool expressive;     /* some string in it is, or looks like, an expression */
    uint16_t height;     /* lists and maps within */
    uint32_t start, end; /* bytes of the text */
    uint32_t count;      /* items or pairs */
    uint64_t weight;     /* values in it, see PW_LANG_VALUES_MAX */
    pw_value value;      /* in the program's arena */
    pw_str text;         /* scalars: as read, before it was resolved */
    const pw_node **items;
    pw_pair *pairs;
};

/* The way from the root to a place, for findings: a chain on the C stack. */
typedef struct pw_path {
    const struct pw_path *up;
    pw_str key;     /* ptr NULL: */
    uint32_t index; /* of an item */
} pw_path;

typedef struct pw_named { /* an entry of use.* */
    const pw_node *key, *node;
    const pw_path *path; /* of the map it is in */
    pw_task *task;       /* functions */
    bool used;
} pw_named;

/* What can be told only when all tasks are known: the scope of a `call: compensate`, the actions of an `onFault`. */
typedef struct pw_late {
    struct pw_late *next;
    pw_task *task;
    const pw_node *node; /* NULL: not given */
    pw_str pointer;      /* of the node */
    uint32_t scope;      /* number of the scope's task */
} pw_late;

typedef struct pw_names {      /* one map of use.* */
    const char *member, *what; /* "timeouts", "timeout" */
    pw_value index;            /* object: name to position in items */
    pw_named *items;
    uint32_t count;
} pw_names;

typedef struct pw_index_slot pw_index_slot;
typedef struct pw_index { /* index.c */
    pw_index_slot *slots;
    uint32_t size, count;
} pw_index;

typedef struct pw_frame pw_frame; /* tree.c */
typedef struct pw_anchor pw_anchor;

typedef struct pw_load {
    pw_str text; /* without a byte order mark */
    pw_program *program;
    pw_arena *arena;  /* the program's */
    pw_arena scratch; /* nodes, and what else ends with loading */
    pw_findings *findings;
    char first_error[480];
    uint32_t first_line, first_column;
    jmp_buf guard;

    /* places */
    uint32_t *lines; /* where each line begins */
    uint32_t line_count;
    uint32_t *marks; /* where each 256th character begins; NULL: all is ASCII */
    uint32_t mark_count;

    /* tree */
    pw_frame *frames; /* PW_LANG_DEPTH_MAX of them */
    uint32_t depth;
    const pw_node *root;
    pw_index anchor_index; /* name to position in anchors, of the last one of that name */
    pw_anchor *anchors;
    uint32_t anchor_count, anchor_size;
    void *yaml; /* the parser, to be deleted after a jump */
    uint64_t weight;
    bool stop; /* the tree cannot be built: nothing to check */

    /* program */
    bool loose; /* evaluate.mode */
    pw_names functions, retries, errors, timeouts;
    const pw_task **tasks;
    uint32_t task_count, task_size;
    bool tasks_full;
    pw_late *scopes, *answers;
    const pw_node *compensation; /* document.metadata.pawl.compensation; NULL: absent */
    pw_str *activities;
    uint32_t activity_count, activity_size;
    pw_index activity_index;
    uint32_t tries;      /* of nearest names, so far */
    uint32_t looked_at;  /* tasks, in the search for loops, so far */
    size_t source_bytes; /* of expressions, so far */
    pw_expr_machine *machine; /* NULL until a pattern is tried */
} pw_load;

/* ---- source.c: places and findings */

/* Refuses what is not text; false: there is nothing to read. */
bool pw_lang_source(pw_load *load);
void pw_lang_place(const pw_load *load, uint32_t at, uint32_t *line, uint32_t *column);
uint32_t pw_lang_at(const pw_load *load, uint32_t line, uint32_t column); /* and back */
uint32_t pw_lang_byte(const pw_load *load, size_t character);
/* The byte of the document where byte `offset` of the string `node` stands. */
uint32_t pw_lang_inside(const pw_load *load, const pw_node *node, size_t offset);

/* Whether it is an error follows from the kind. */
void pw_lang_report(pw_load *load, pawl_finding_kind kind, uint32_t at, const pw_path *path,
                    const char *format, ...) PW_PRINTF(5, 6);
/* Of a whole task, at its name. */
void pw_lang_report_task(pw_load *load, pawl_finding_kind kind, const pw_task *task,
                         const char *format, ...) PW_PRINTF(4, 5);
/* At a place that is not on the way. */
void pw_lang_report_at(pw_load *load, pawl_finding_kind kind, uint32_t at, pw_str pointer,
                       const char *format, ...) PW_PRINTF(5, 6);
#define pw_lang_found(load, kind, node, path, ...)                                                 \
    pw_lang_report(load, kind, (node)->start, path, __VA_ARGS__)
/* A value that cannot stand where it stands: most of what can be wrong. */
#define pw_lang_error(load, node, path, ...)                                                       \
    pw_lang_found(load, PAWL_FINDING_VALUE, node, path, __VA_ARGS__)
pw_str pw_lang_pointer(pw_arena *arena, const pw_path *path);
/* Text of the user's for a message: short, one line, no control characters. */
pw_str pw_lang_shown(pw_load *load, pw_str text);
_Noreturn void pw_lang_no_memory(pw_load *load);

/* ---- index.c */

/* False: the key is there already, *first is its value. Keys are borrowed. */
bool pw_index_add(pw_load *load, pw_index *index, pw_str key, uint32_t value, uint32_t *first);
uint32_t *pw_index_find(const pw_index *index, pw_str key); /* NULL: not there */

/* ---- tree.c: events to nodes, with all the bounds */

void pw_tree_reset(pw_load *load);
/* Each returns false when reading must stop; the finding is made. */
bool pw_tree_open(pw_load *load, pw_node_kind kind, uint32_t start, pw_str anchor);
bool pw_tree_close(pw_load *load, uint32_t end);
bool pw_tree_scalar(pw_load *load, const pw_node *scalar, pw_str anchor);
bool pw_tree_alias(pw_load *load, pw_str anchor, uint32_t at);

/* ---- scalar.c: the YAML 1.2 core schema */

typedef enum pw_resolved { PW_RESOLVED, PW_NOT_JSON, PW_TOO_LARGE } pw_resolved;
/* What a plain scalar means. PW_NOT_JSON: an infinity or not a number. */
pw_resolved pw_scalar_resolve(pw_load *load, pw_value *out, pw_str text);

/* ---- the two readers: false: stopped, with a finding */

bool pw_lang_read_yaml(pw_load *load);
void pw_lang_yaml_done(pw_load *load); /* after a jump: libyaml has memory of its own */
/* *error_at: where the text stops being JSON; `message` (480 bytes) says why. */
bool pw_lang_read_json(pw_load *load, uint32_t *error_at, char *message);

/* ---- members.c: shapes and names */

typedef struct pw_rule {
    const char *name;
    const char *later; /* NULL, or its full name: valid in the language, not in this release */
} pw_rule;

void pw_lang_members(pw_load *load, const pw_node *map, const pw_path *path, const pw_rule *rules,
                     size_t count);
void pw_lang_not_yet(pw_load *load, const pw_node *at, const pw_path *path, const char *what);
const pw_node *pw_lang_get(const pw_node *map, const char *name); /* NULL: absent, or no map */
const pw_node *pw_lang_key(const pw_node *map, const char *name);
/* NULL, with a finding: absent */
const pw_node *pw_lang_require(pw_load *load, const pw_node *map, const pw_path *path,
                               const char *name);
/* Each says so and returns false when it is something else; `node` NULL: false, silently. */
bool pw_lang_is_map(pw_load *load, const pw_node *node, const pw_path *path);
bool pw_lang_is_list(pw_load *load, const pw_node *node, const pw_path *path);
bool pw_lang_string(pw_load *load, const pw_node *node, const pw_path *path, pw_str *out);
bool pw_lang_bool(pw_load *load, const pw_node *node, const pw_path *path, bool *out);
bool pw_lang_integer(pw_load *load, const pw_node *node, const pw_path *path, int64_t low,
                     int64_t high, int64_t *out);
bool pw_lang_is_string(const pw_node *node);
const char *pw_lang_type(const pw_node *node); /* "a string" */

/* Candidates looked at for hints in one load: a document full of mistakes must not take minutes. */
#define PW_TRIES_MAX 500000u

typedef struct pw_nearest {
    pw_str wanted, best;
    uint32_t distance;
} pw_nearest;
pw_nearest pw_nearest_to(pw_str wanted);
void pw_nearest_try(pw_load *load, pw_nearest *nearest, pw_str candidate);
/* "; did you mean 'x'?", or nothing */
pw_str pw_nearest_hint(pw_load *load, const pw_nearest *nearest);

bool pw_is_dns_label(pw_str s);
bool pw_is_identifier(pw_str s); /* of a jq variable */
bool pw_is_name_byte(char c);    /* behind the first of one */
bool pw_is_semver(pw_str s, uint32_t *major, uint32_t *minor, pw_str *prerelease);

/* An entry of use.* by name; NULL, with a finding: there is none. */
pw_named *pw_lang_find(pw_load *load, pw_names *names, const pw_node *node, const pw_path *path);

/* ---- expressions.c */

typedef struct pw_scope { /* a variable of for or catch; the chain ends with NULL */
    const struct pw_scope *up;
    pw_str name;
    uint32_t slot;
} pw_scope;

typedef struct pw_place { /* what an expression may use where it stands */
    const pw_scope *scope;
    uint32_t arguments; /* PW_BIT(PW_SLOT_...) */
    const char *what;   /* "'if'" */
} pw_place;

/* Table 5.2 of the language. */
#define PW_ARGS_WORKFLOW (PW_BIT(PW_SLOT_WORKFLOW) | PW_BIT(PW_SLOT_RUNTIME))
#define PW_ARGS_WORKFLOW_END (PW_ARGS_WORKFLOW | PW_BIT(PW_SLOT_CONTEXT))
#define PW_ARGS_BEFORE (PW_ARGS_WORKFLOW_END | PW_BIT(PW_SLOT_TASK))
#define PW_ARGS_INSIDE (PW_ARGS_BEFORE | PW_BIT(PW_SLOT_INPUT))
#define PW_ARGS_EXPORT (PW_ARGS_INSIDE | PW_BIT(PW_SLOT_OUTPUT))

typedef enum pw_wrapped { PW_WRAPPED_NO, PW_WRAPPED_WHOLE, PW_WRAPPED_BROKEN } pw_wrapped;
/* The string may be an expression: wrapped, or in loose mode. */
bool pw_lang_may_compute(const pw_load *load, const pw_node *node);
/* Whether the whole string is one ${ ... }; *source is what stands in it. Says so if it is broken
 * or looks like a mistake. */
pw_wrapped pw_lang_wrapped(pw_load *load, const pw_node *node, const pw_path *path,
                           const pw_place *place, pw_str *source);
/* The expression in a string that always is one: without ${ }, and blanks around it. */
pw_str pw_lang_unwrapped(pw_str text);
/* A string that is always an expression. NULL: absent, or wrong. */
const pw_expr *pw_lang_expression(pw_load *load, const pw_node *node, const pw_path *path,
                                  const pw_place *place);
const pw_expr *pw_lang_condition(pw_load *load, const pw_node *node, const pw_path *path,
                                 const pw_place *place);
const pw_expr *pw_lang_compile(pw_load *load, const pw_node *node, const pw_path *path,
                               const pw_place *place, pw_str source);
/* A value whose strings may be expressions. NULL: absent. */
const pw_template *pw_lang_template(pw_load *load, const pw_node *node, const pw_path *path,
                                    const pw_place *place);
/* ... of which only a string, if it is constant. */
const pw_template *pw_lang_text(pw_load *load, const pw_node *node, const pw_path *path,
                                const pw_place *place);
/* input.from, output.as, export.as: an expression, or an object of values. */
const pw_template *pw_lang_transform(pw_load *load, const pw_node *node, const pw_path *path,
                                     const pw_place *place);

/* ---- durations.c */

pw_delay pw_lang_duration(pw_load *load, const pw_node *node, const pw_path *path,
                          const pw_place *place);
/* {after: duration}, or the name of one of use.timeouts */
pw_delay pw_lang_timeout(pw_load *load, const pw_node *node, const pw_path *path,
                         const pw_place *place);

/* ---- tasks.c */

typedef struct pw_tasks { /* the list a task stands in */
    pw_value positions;   /* name to position; PW_NONE: the task stands alone (use.functions) */
    const pw_node *node;
    bool branches; /* of a fork */
} pw_tasks;

typedef struct pw_nest { /* where a task stands */
    const pw_scope *scope;
    uint32_t slots; /* of the scope */
    uint32_t depth;
    const pw_tasks *list;
    const pw_task *undoes; /* it is in the `compensate` of this one; NULL */
} pw_nest;

pw_list pw_lang_list(pw_load *load, const pw_node *node, const pw_path *path, const pw_nest *outer,
                     bool branches);
pw_task *pw_lang_task_new(pw_load *load, const pw_node *key);
void pw_lang_task_number(pw_load *load, pw_task *task, const pw_node *node); /* the next one */
void pw_lang_task(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                  const pw_nest *nest);
pw_flow pw_lang_flow(pw_load *load, const pw_node *node, const pw_path *path, const pw_tasks *list);
/* A new variable in front of `up`; false, with a finding: the name is no good, or there are too
 * many. */
bool pw_lang_variable(pw_load *load, const pw_node *node, const pw_path *path, const char *fallback,
                      const pw_nest *nest, uint32_t *slots, pw_scope *scope);

/* `member`.`inner` of a document, a task or a foreach: input.from, output.as, export.as; *schema: `member`.schema, if
 * there is one. */
const pw_template *pw_lang_shaped(pw_load *load, const pw_node *node, const pw_path *path,
                                  const char *member, const char *inner, const pw_place *place,
                                  pw_value *schema);

/* ---- schemas.c: each gives PW_NONE where there is none, or it is wrong */

/* A JSON Schema as it stands there, checked. */
pw_value pw_lang_schema(pw_load *load, const pw_node *node, const pw_path *path);
/* `schema` of `outer`: {format, document}; `what`: "input". */
pw_value pw_lang_data_schema(pw_load *load, const pw_node *outer, const pw_path *path,
                             const char *what);

/* ---- listen.c */

/* {one | any | all, until}; `read` is the caller's. `nest` NULL: of a schedule, where no task is. False: there
 * is a finding. */
bool pw_lang_listen(pw_load *load, pw_listen *out, const pw_node *strategy, const pw_path *path,
                    const pw_nest *nest);
void pw_lang_read(pw_load *load, pw_listen *out, const pw_node *node, const pw_path *path);
void pw_lang_listen_task(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                         const pw_nest *nest);

/* ---- schedule.c */

void pw_lang_schedule(pw_load *load, const pw_node *root);

/* ---- calls.c, errors.c, resilience.c, retries.c, run.c */

void pw_lang_call(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                  const pw_nest *nest);
void pw_lang_emit(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                  const pw_nest *nest);
void pw_lang_try(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                 const pw_nest *nest);
void pw_lang_raise(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                   const pw_nest *nest);
void pw_lang_error_object(pw_load *load, pw_error_template *out, const pw_node *node,
                          const pw_path *path, const pw_place *place);
void pw_lang_run(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                 const pw_nest *nest);
/* Of a task with `call`, whose kind is known. */
void pw_lang_resilience(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                        const pw_nest *nest);
/* One of `names`: its position; `count`: there is none, or, with a finding that begins with `wanted`, another. */
size_t pw_lang_choice(pw_load *load, const pw_node *node, const pw_path *path,
                      const char *const *names, size_t count, const char *wanted);
const pw_retry_policy *pw_lang_retry(pw_load *load, const pw_node *node, const pw_path *path,
                                     const pw_place *place);

/* ---- metadata.c */

typedef enum pw_metadata_of {
    PW_METADATA_OF_DOCUMENT,
    PW_METADATA_OF_TASK,
    PW_METADATA_OF_RUN,  /* of a task with `run` */
    PW_METADATA_OF_CALL, /* of a task with `call` */
    PW_METADATA_OF_EMIT, /* of a task with `emit` */
    PW_METADATA_OF_UNDO, /* of a `compensate` with `call` */
    PW_METADATA_OF_UNDO_EMIT,
    PW_METADATA_OF_ON_FAULT,
} pw_metadata_of;
void pw_lang_metadata(pw_load *load, const pw_node *node, const pw_path *path, pw_metadata_of of);

/* ---- compensate.c: metadata.pawl.compensate, .compensation, `call: compensate` */

/* The `compensate` of a task whose kind is known, if it has one. */
void pw_lang_undo(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path,
                  const pw_nest *nest);
void pw_lang_compensation(pw_load *load, const pw_node *node, const pw_path *path);
void pw_lang_compensate(pw_load *load, pw_task *task, const pw_node *node, const pw_path *path);
/* Behind all tasks: that of the whole, and what could not be told before. */
void pw_lang_compensation_end(pw_load *load);
void pw_lang_compensation_lint(pw_load *load);

/* ---- on_fault.c: metadata.pawl.onFault */

/* Of a document or a task, whose `metadata` is `node`; NULL: it has none. */
const pw_task *pw_lang_on_fault(pw_load *load, const pw_node *node, const pw_path *path);
/* Behind pw_lang_compensation_end. */
void pw_lang_on_fault_end(pw_load *load);
/* ---- lint.c: what is no error and yet hardly meant; of a document without errors */

void pw_lang_lint(pw_load *load);

/* ---- document.c */

void pw_lang_document(pw_load *load);

/* One step of a path, where a map's member or a list's item is looked at. */
#define PW_STEP(path, name) (&(pw_path){ .up = (path), .key = pw_str_of(name) })
#define PW_STEP_KEY(path, node) (&(pw_path){ .up = (path), .key = (node)->text })
#define PW_STEP_AT(path, at) (&(pw_path){ .up = (path), .index = (at) })
#endif
