/* notes.h - what the log and the traces say of instances: what was committed, what was sent, what does not go. Of data nothing is said:
 * only ids, names that a definition gives, kinds, numbers and hosts. */
#ifndef PW_NOTES_H
#define PW_NOTES_H

#include "engine/live.h"
#include "watch/log.h"

/* A step was committed, and `live` is what it made; before: what it was. Its transition is still there. */
typedef struct pw_note_before {
    pw_status status;
    bool over;
} pw_note_before;
void pw_note_step(const pw_shard *shard, const pw_live *live, const pw_note_before *before);
/* A request has come to an end: one attempt of a call. */
void pw_note_call(const pawl *p, const pw_http_call *call);
/* It does not move although it should; `code` PAWL_OK: it does again. */
void pw_note_trouble(const pw_live *live, const pawl_error *err);
/* A command was not committed: it is tried again after so long, or was given up. */
void pw_note_command(const pw_command *command, const pawl_error *err, bool again, uint64_t delay_ms);
/* The message of an error, where it cannot quote data of an instance; else the name of its code. */
const char *pw_note_reason(const pawl_error *err);

/* ---- tracing.c */
/* The span of an instance as a whole. */
void pw_trace_root(unsigned char out[8], pw_str instance);
/* The traceparent of which all that the instance does is a part: that which it was started with, else, if its trace is sampled, one of
 * its own. False: there is none. */
#define PW_TRACE_SIZE 56
bool pw_trace_base(char out[PW_TRACE_SIZE], const pawl *p, pw_str instance, pw_str trace);
/* A traceparent of the same trace whose span is that of an attempt. */
void pw_trace_of_attempt(char out[PW_TRACE_SIZE], const char base[PW_TRACE_SIZE], pw_str key, uint32_t attempt);
/* The same of an event that a step has emitted. */
void pw_trace_of_event(char out[PW_TRACE_SIZE], const char base[PW_TRACE_SIZE], pw_str instance, uint64_t sequence, uint64_t ordinal);

/* ---- logging.c */
#define PW_FIELDS_MAX 32
/* Members of a JSON object (NULL: none) as fields, whose texts are in `arena`; gives how many. What is no name, or too much, is left out. */
size_t pw_fields_read(pw_log_field out[PW_FIELDS_MAX], const char *json, pw_arena *arena);
#endif
