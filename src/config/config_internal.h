/* config_internal.h - the settings of a process: what config.c keeps, and show.c and reload.c read. */
#ifndef PW_CONFIG_INTERNAL_H
#define PW_CONFIG_INTERNAL_H

#include <pthread.h>
#include <pawl/server.h>
#include "config/value.h"
#include "policy/fault.h"

typedef struct pw_setting {
    const pw_key *key;
    char *name;     /* of a key with a name in it; else NULL */
    pw_setting_value value;
    char *text;     /* what value.text borrows from; NULL: the key's default */
    pawl_config_source source;
    char *where;    /* "pawl.yaml:12"; NULL: what the source says */
} pw_setting;

/* The rows of the fault table that are set, as JSON: kinds times classes, each written with ':' or with '.', and shorter than
 * 64 bytes. */
#define PW_FAULTS_SIZE (PW_FAULT_KIND_COUNT * PW_ERROR_CLASS_COUNT * 2 * 64)

#define PW_CONFIG_SINKS_MAX 32 /* as of the store */

struct pawl_config {
    pthread_mutex_t *lock; /* of all below: a reload changes what other threads read */
    pw_setting *settings;  /* those without a name in them, in the table's order; then the others, by name */
    size_t count, size;
    pawl_resilience resilience; /* made of them, for who opens a pawl; none of it changes by a reload */
    pawl_cleanup_settings cleanup; /* the same */
    char faults[PW_FAULTS_SIZE];
    pawl_sink_options sinks[PW_CONFIG_SINKS_MAX]; /* texts are those of settings */
    size_t sink_count;
};

size_t pw_config_fixed(void); /* settings without a name in them */
/* False: out of memory; what there is of the copy is to be released as well. */
bool pw_setting_copy(pw_setting *out, const pw_setting *setting);
void pw_setting_done(pw_setting *setting);
/* The path of a setting, with its name. */
void pw_setting_path(pw_buf *buf, const pw_setting *setting);
const char *pw_setting_where(const pw_setting *setting);
const char *pw_source_name(pawl_config_source source);
/* Under the lock; NULL: there is none (of a name that nothing is said of). `key` without '*': name empty. */
pw_setting *pw_config_find(const pawl_config *config, const pw_key *key, pw_str name);
/* Under the lock, or before anybody else knows it: what options point to, anew. */
void pw_config_given(pawl_config *config);
void pw_config_sinks(pawl_config *config); /* the same, of sinks */
/* What is wrong with a setting of a sink, beside its value; NULL: nothing. */
const char *pw_config_sink_wrong(const pawl_config *config, const pw_setting *setting);
/* Under the lock: room for `more` settings, and the values in their places, whatever their sources; of those with names in
 * them no others stay. Takes what the settings hold. */
PAWL_CHECK pawl_code pw_config_room(pawl_config *config, size_t more, pawl_error *err);
void pw_config_replace(pawl_config *config, pw_setting *settings, size_t count);
#endif
