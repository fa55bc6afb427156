/* read.h - a configuration file as a list of paths and what stands there. */
#ifndef PW_CONFIG_READ_H
#define PW_CONFIG_READ_H

#include "config/value.h"

enum { PW_CONFIG_DEPTH_MAX = 16, PW_CONFIG_BYTES_MAX = 1 << 20, PW_CONFIG_SETTINGS_MAX = 4000 };

typedef struct pw_entry { /* one value, or a section that is none of ours */
    pw_str path;
    pw_given given;
    pw_str text; /* of a section: empty */
    uint32_t line;
} pw_entry;

typedef struct pw_entries { /* all of it in the arena */
    pw_arena *arena; /* with a guard set */
    pw_entry *items;
    size_t count, size;
} pw_entries;

/* JSON if the first character is '{', else YAML. PAWL_INVALID: *line (0: unknown) and err->message say what is wrong with the
 * text as such; whether the keys are ours is not looked at, but for which of them are sections. */
PAWL_CHECK pawl_code pw_config_read(pw_entries *out, pw_str text, uint32_t *line, pawl_error *err);
#endif
