/* One line at a time (note.h). */
#include "signup/note.h"

#include <pthread.h>

void note_fields(enum log_level level, const char *event, const struct log_field *fields)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

        pthread_mutex_lock(&lock);
        log_fields(level, event, fields);
        pthread_mutex_unlock(&lock);
}
