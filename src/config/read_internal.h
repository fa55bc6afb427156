/* read_internal.h - what the readers of JSON and YAML make: a tree with lines. */
#ifndef PW_CONFIG_READ_INTERNAL_H
#define PW_CONFIG_READ_INTERNAL_H

#include "config/read.h"

typedef struct pw_config_node pw_config_node;
struct pw_config_node {
    pw_given given;       /* PW_GIVEN_LIST: its members are not looked at yet */
    pw_str name;          /* of a member */
    pw_str text;
    uint32_t line;        /* of its name, else of itself */
    uint32_t count;
    pw_config_node *first, *last, *next;
};

/* PAWL_INVALID: there are too many. */
PAWL_CHECK pawl_code pw_config_node_add(pw_config_node *parent, pw_config_node *child, pawl_error *err);
/* Both keep the rules that the other cannot know: depth, one document, no name twice in a section. */
PAWL_CHECK pawl_code pw_config_read_json(pw_config_node **out, pw_str text, pw_arena *arena, uint32_t *line, pawl_error *err);
PAWL_CHECK pawl_code pw_config_read_yaml(pw_config_node **out, pw_str text, pw_arena *arena, uint32_t *line, pawl_error *err);
#endif
