/* notify.h - the protocol of systemd's Type=notify: a datagram of NAME=VALUE lines to NOTIFY_SOCKET. */
#ifndef PW_CLI_NOTIFY_H
#define PW_CLI_NOTIFY_H

#include "base/base.h"

/* "READY=1", "STOPPING=1", ... Nothing happens where nobody asks to be told. */
void notify(const char *state);
void notify_reloading(void);
/* How often a sign of life is asked for, halved; 0: never. */
uint64_t notify_interval_ms(void);
#endif
