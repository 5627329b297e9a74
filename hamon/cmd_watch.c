/* `hamon status` for people at a terminal: once, or on a screen of its own that is drawn anew every
 * second and given back at the end, whatever ends it. */
#include "hamon/cmd_watch.h"

#include "hamon/client.h"
#include "hamon/core/reason.h"
#include "hamon/screen.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MAX = 1024 * 1024, ANSWER_MAX = 8 * 1024 * 1024, WATCH_SECONDS = 1 };

static const char ENTER[] = "\033[?1049h\033[?25l\033[2J", LEAVE[] = "\033[?25h\033[?1049l";

static volatile sig_atomic_t ended_by;

static void on_signal(int sig)
{
        ended_by = sig;
}

static void on_resize(int sig)
{
        (void)sig; /* the pause ends, and the next frame fits */
}

bool is_terminal(void)
{
        const char *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static struct screen screen_now(void)
{
        const char *no_colour = getenv("NO_COLOR");
        struct screen s = { .cols = 80, .rows = 24, .colour = !no_colour || !*no_colour };
        struct winsize w;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0) {
                s.cols = w.ws_col;
                s.rows = w.ws_row;
        }
        return s;
}

/* All of it in one piece, as far as the terminal takes it, and until a signal ends us. */
static bool to_screen(const char *data, size_t len)
{
        while (len > 0) {
                ssize_t n = write(STDOUT_FILENO, data, len);
                if (n < 0 && errno == EINTR && !ended_by)
                        continue;
                if (n < 0)
                        return false;
                data += n;
                len -= (size_t)n;
        }
        return true;
}

void show_text(const char *text)
{
        CLEANUP(buf_done) struct buf out = BUF(FRAME_MAX);
        struct screen s = screen_now();

        if (screen_text(&s, text, &out) == 0)
                fputs(buf_str(&out), stdout);
}

struct watch {
        const struct config *config;
        struct buf picture; /* what the daemon said last */
        msec_t heard;
        int error; /* of the last question */
};

static void ask(struct watch *w)
{
        CLEANUP(buf_done) struct buf answer = BUF(ANSWER_MAX);

        w->error =
                client_ask(w->config->control.socket, "status", w->config->check.timeout, &answer);
        if (w->error < 0)
                return;
        w->heard = clock_ms();
        buf_reset(&w->picture);
        buf_adds(&w->picture, buf_str(&answer));
}

static bool draw(const struct watch *w)
{
        CLEANUP(buf_done) struct buf frame = BUF(FRAME_MAX);
        struct screen s = screen_now();
        char alert[256] = "", foot[64];
        time_t now = time(NULL);
        struct tm tm;

        if (w->error < 0 && w->heard > 0)
                snprintf(alert, sizeof alert, "NO ANSWER for %lld s: %s. Below is how it was.",
                         (long long)(clock_ms() - w->heard) / 1000,
                         reason_sentence(w->error == -ETIMEDOUT ? REASON_TIMEOUT
                                                                : REASON_NO_DAEMON));
        else if (w->error < 0)
                snprintf(alert, sizeof alert, "NO ANSWER: %s.",
                         reason_sentence(w->error == -ETIMEDOUT ? REASON_TIMEOUT
                                                                : REASON_NO_DAEMON));
        localtime_r(&now, &tm);
        strftime(foot, sizeof foot, "%H:%M:%S, every second; Ctrl-C ends", &tm);
        return screen_frame(&s, alert, buf_str(&w->picture), foot, &frame) == 0 &&
               to_screen(frame.data, frame.len);
}

static void handle_signals(void)
{
        static const int ENDS[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
        struct sigaction a = { .sa_handler = on_signal };

        for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++)
                sigaction(ENDS[i], &a, NULL);
        a.sa_handler = on_resize;
        sigaction(SIGWINCH, &a, NULL);
        signal(SIGPIPE, SIG_IGN);
}

int watch_status(const struct config *config)
{
        struct watch w = { .config = config, .picture = BUF(ANSWER_MAX) };

        handle_signals();
        bool fine = to_screen(ENTER, sizeof ENTER - 1);
        while (fine && !ended_by) {
                ask(&w);
                fine = ended_by || draw(&w);
                struct timespec ts = { .tv_sec = WATCH_SECONDS };
                if (fine && !ended_by)
                        nanosleep(&ts, NULL);
        }
        int sig = ended_by;
        ended_by = 0;
        to_screen(LEAVE, sizeof LEAVE - 1);
        buf_done(&w.picture);
        if (sig) { /* as if it had never been caught: the caller's shell shall know */
                signal(sig, SIG_DFL);
                raise(sig);
        }
        return EX_IOERR;
}
