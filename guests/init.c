/*
 * The whole user space of a test guest: process 1 of a stock Linux kernel, that does what its command line says.
 *
 *     vmpower.action=poweroff|halt|reboot|panic|mem|button-obey|button-ignore|watchdog|idle    (default: idle)
 *     vmpower.delay=SECONDS                                                                     before it does that
 *     vmpower.action=console
 *     vmpower.action=shell vmpower.script=PATH
 *     vmpower.action=disk vmpower.script=PATH
 *
 * `console` does what each line on its console says, and says "ready" before each: an action, `write PATH TEXT`, `log TEXT|TEXT…` (the lines of the kernel's
 * log that have one of them), or `button-once`, which is button-ignore for one time.
 * `shell` goes on as /bin/sh, on a root that another machine shares (by 9p, its tag is "root"); what is written there stays in memory.
 * `disk` does so on the ext4 of /dev/vda.
 * `watchdog` sets the watchdog off, and does not look after it.
 *
 * As /sbin/poweroff and /sbin/reboot, which the kernel calls when Xen's tools ask it to, it does that; with vmpower.request=ignore nothing.
 *
 * First it loads the modules that /modules names, one a line with its parameters, from /lib/modules.  Every line that
 * it says begins with "vmpower-init: ", and the line before the action names it: a test sees how far it came.
 *
 * It is a static program of its own, for x86-64 and i386, without a C library: the same compiler builds both, and an
 * initrd is a few kilobytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

/* arch/x86/entry/syscalls/syscall_64.tbl */
enum {
        SYS_READ = 0, SYS_WRITE = 1, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_POLL = 7, SYS_PAUSE = 34, SYS_NANOSLEEP = 35,
        SYS_EXECVE = 59, SYS_EXIT = 60, SYS_CHDIR = 80, SYS_MKDIR = 83, SYS_MKNOD = 133, SYS_CHROOT = 161, SYS_SYNC = 162,
        SYS_MOUNT = 165, SYS_REBOOT = 169, SYS_FINIT_MODULE = 313,
};

static long syscall5(long number, long a, long b, long c, long d, long e) {
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;
        long r;

        __asm__ volatile("syscall" : "=a"(r)
                                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                                   : "rcx", "r11", "memory");
        return r;
}

__asm__(".globl _start\n"
        "_start: xorl %ebp, %ebp\n"
        "        movq 8(%rsp), %rdi\n"
        "        andq $-16, %rsp\n"
        "        call init\n");

#elif defined(__i386__)

/* arch/x86/entry/syscalls/syscall_32.tbl */
enum {
        SYS_READ = 3, SYS_WRITE = 4, SYS_OPEN = 5, SYS_CLOSE = 6, SYS_POLL = 168, SYS_PAUSE = 29, SYS_NANOSLEEP = 162,
        SYS_EXECVE = 11, SYS_EXIT = 1, SYS_CHDIR = 12, SYS_MKDIR = 39, SYS_MKNOD = 14, SYS_CHROOT = 61, SYS_SYNC = 36,
        SYS_MOUNT = 21, SYS_REBOOT = 88, SYS_FINIT_MODULE = 350,
};

static long syscall5(long number, long a, long b, long c, long d, long e) {
        long r;

        __asm__ volatile("int $0x80" : "=a"(r)
                                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                                     : "memory");
        return r;
}

__asm__(".globl _start\n"
        "_start: xorl %ebp, %ebp\n"
        "        movl 4(%esp), %eax\n"
        "        andl $-16, %esp\n"
        "        subl $12, %esp\n"
        "        pushl %eax\n"
        "        call init\n");

#else
#error "x86 only"
#endif

/* include/uapi/linux: fcntl.h, stat.h, mount.h, reboot.h, poll.h, input-event-codes.h, asm-generic/errno-base.h */
enum {
        OPEN_READ = 00,
        OPEN_WRITE = 01,
        OPEN_NONBLOCK = 04000,
        STAT_CHARACTER_DEVICE = 0020000,
        MOUNT_READ_ONLY = 1,
        MOUNT_MOVE = 8192,
        REBOOT_MAGIC_1 = (int)0xfee1dead,
        REBOOT_MAGIC_2 = 672274793,
        REBOOT_RESTART = 0x01234567,
        REBOOT_HALT = (int)0xcdef0123,
        REBOOT_POWER_OFF = 0x4321fedc,
        POLL_IN = 1,
        EVENT_KEY = 1,
        KEY_POWER = 116,
        ERROR_AGAIN = 11,
        ERROR_NO_DEVICE = 19,
};

struct input_event {
        unsigned long seconds, microseconds;
        uint16_t type, code;
        int32_t value;
};

struct poll_fd {
        int fd;
        int16_t events, ret_events;
};

struct timespec {
        long seconds, nanoseconds;
};

#define N_BUTTONS_MAX 16

/* --- what a compiler may call even without a C library ---------------------------------------------------------- */

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);

void *memcpy(void *to, const void *from, size_t n) {
        void *at = to;

        __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
        return to;
}

void *memset(void *to, int byte, size_t n) {
        void *at = to;

        __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
        return to;
}

/* --- strings and system calls ------------------------------------------------------------------------------------- */

static size_t string_length(const char *s) {
        size_t n = 0;

        while (s[n])
                n++;
        return n;
}

/* Is this the beginning of s?  Returns what follows it, or NULL. */
static const char *string_after(const char *s, const char *beginning) {
        while (*beginning)
                if (*s++ != *beginning++)
                        return NULL;
        return s;
}

static bool string_is(const char *s, const char *other) {
        const char *rest = string_after(s, other);

        return rest && !*rest;
}

/* Is one of these, with a | between them, the beginning of s? */
static bool string_begins_with_one(const char *s, const char *beginnings) {
        const char *p = s;

        for (;; beginnings++)
                if (!*beginnings || *beginnings == '|') {
                        return true;
                } else if (*p == *beginnings) {
                        p++;
                } else {
                        while (*beginnings && *beginnings != '|')
                                beginnings++;
                        if (!*beginnings)
                                return false;
                        p = s;
                }
}

static bool string_has_one(const char *s, const char *parts) {
        for (; *s; s++)
                if (string_begins_with_one(s, parts))
                        return true;
        return false;
}

/* These two append to what is in the buffer; the caller knows that there is room. */
static void string_add(char *s, const char *more) {
        s += string_length(s);
        while ((*s++ = *more++))
                ;
}

static void string_add_number(char *s, unsigned number) {
        char digits[10];
        size_t n = 0;

        do
                digits[n++] = (char)('0' + number % 10);
        while (number /= 10);

        s += string_length(s);
        while (n)
                *s++ = digits[--n];
        *s = 0;
}

/* One line in one write, so that the kernel's own messages do not come between. */
static void say(const char *a, const char *b, const char *c) {
        const char *parts[] = {"vmpower-init: ", a, b, c, "\n"};
        char line[256];
        size_t n = 0;

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                for (const char *p = parts[i]; *p && n < sizeof(line); p++)
                        line[n++] = *p;
        syscall5(SYS_WRITE, 1, (long)line, (long)n, 0, 0);
}

static void say_failed(const char *what, long r) {
        char number[16] = "error ";

        string_add_number(number, (unsigned)-r);
        say(what, ": ", r == -ERROR_NO_DEVICE ? "No such device" : number);
}

static int file_open(const char *path, int flags) {
        return (int)syscall5(SYS_OPEN, (long)path, flags, 0, 0, 0);
}

static void file_close(int fd) {
        syscall5(SYS_CLOSE, fd, 0, 0, 0, 0);
}

/* The whole file as a string, or as much of it as there is room for. */
static bool file_read(const char *path, char *ret_text, size_t size) {
        size_t n = 0;
        long r = 0;
        int fd;

        fd = file_open(path, OPEN_READ);
        if (fd < 0)
                return false;

        while (n < size - 1) {
                r = syscall5(SYS_READ, fd, (long)(ret_text + n), (long)(size - 1 - n), 0, 0);
                if (r <= 0)
                        break;
                n += (size_t)r;
        }
        ret_text[n] = 0;
        file_close(fd);
        return true;
}

static void node_make(const char *path, unsigned major, unsigned minor) {
        syscall5(SYS_MKNOD, (long)path, STAT_CHARACTER_DEVICE | 0600, (long)(major << 8 | minor), 0, 0);
}

static void file_write(const char *path, const char *text) {
        long r;
        int fd;

        fd = file_open(path, OPEN_WRITE);
        r = fd < 0 ? fd : syscall5(SYS_WRITE, fd, (long)text, (long)string_length(text), 0, 0);
        if (r < 0)
                say_failed(path, r);
        if (fd >= 0)
                file_close(fd);
}

static void mount_with(const char *what, const char *where, const char *type, int flags, const char *options) {
        long r;

        r = syscall5(SYS_MOUNT, (long)what, (long)where, (long)type, flags, (long)options);
        if (r < 0)
                say_failed(where, r);
}

static void mount(const char *type, const char *where) { mount_with(type, where, type, 0, ""); }

static void reboot(int how) {
        syscall5(SYS_SYNC, 0, 0, 0, 0, 0);
        syscall5(SYS_REBOOT, REBOOT_MAGIC_1, REBOOT_MAGIC_2, how, 0, 0);
}

static void idle(void) {
        for (;;)
                syscall5(SYS_PAUSE, 0, 0, 0, 0, 0);
}

/* --- modules ------------------------------------------------------------------------------------------------------ */

static void module_load(const char *name, const char *parameters) {
        char path[128] = "/lib/modules/";
        long r;
        int fd;

        if (string_length(name) >= sizeof(path) - string_length(path))
                return;
        string_add(path, name);

        fd = file_open(path, OPEN_READ);
        r = fd < 0 ? fd : syscall5(SYS_FINIT_MODULE, fd, (long)parameters, 0, 0, 0);
        if (r < 0)
                say_failed(name, r);
        if (fd >= 0)
                file_close(fd);
}

/* Each line is a name, and after a space its parameters. */
static void modules_load(void) {
        static char list[4096];
        char *p = list;

        if (!file_read("/modules", list, sizeof(list)))
                return;

        while (*p) {
                char *name = p;
                const char *parameters = "";

                while (*p && *p != ' ' && *p != '\n')
                        p++;
                if (*p == ' ') {
                        *p++ = 0;
                        parameters = p;
                        while (*p && *p != '\n')
                                p++;
                }
                if (*p)
                        *p++ = 0;
                if (*name)
                        module_load(name, parameters);
        }
}

/* --- the power button --------------------------------------------------------------------------------------------- */

/* /sys names the device numbers; we make the nodes, so no devtmpfs and no udev is needed. */
static size_t buttons_open(struct poll_fd *ret_fds) {
        size_t n = 0;

        for (unsigned i = 0; i < N_BUTTONS_MAX; i++) {
                char numbers_path[64] = "/sys/class/input/event", node[32] = "/dev/event", numbers[16];
                unsigned number[2] = {0, 0}, which = 0;
                int fd;

                string_add_number(numbers_path, i);
                string_add(numbers_path, "/dev");
                string_add_number(node, i);

                if (!file_read(numbers_path, numbers, sizeof(numbers)))
                        continue;
                for (const char *p = numbers; *p; p++)
                        if (*p == ':')
                                which = 1;
                        else if (*p >= '0' && *p <= '9')
                                number[which] = number[which] * 10 + (unsigned)(*p - '0');

                node_make(node, number[0], number[1]);
                fd = file_open(node, OPEN_READ | OPEN_NONBLOCK);
                if (fd >= 0)
                        ret_fds[n++] = (struct poll_fd){.fd = fd, .events = POLL_IN};
        }
        return n;
}

/* Until somebody presses it. */
static void button_wait(struct poll_fd *fds, size_t n_fds) {
        for (;;) {
                if (syscall5(SYS_POLL, (long)fds, (long)n_fds, -1, 0, 0) < 0)
                        continue;

                for (size_t i = 0; i < n_fds; i++) {
                        struct input_event event;

                        if (!fds[i].ret_events)
                                continue;
                        while (syscall5(SYS_READ, fds[i].fd, (long)&event, sizeof(event), 0, 0) == sizeof(event))
                                if (event.type == EVENT_KEY && event.code == KEY_POWER && event.value == 1)
                                        return;
                }
        }
}

/* `times`: how often it is ignored. */
static void button_obey_or_ignore(bool obey, unsigned times) {
        struct poll_fd fds[N_BUTTONS_MAX];
        size_t n;

        n = buttons_open(fds);
        say(n ? "waiting for the power button" : "there is no power button", "", "");
        while (times--) {
                button_wait(fds, n);
                say("the power button was pressed", obey ? "" : ", and is ignored", "");
                if (obey)
                        reboot(REBOOT_POWER_OFF);
        }
        while (n)
                file_close(fds[--n].fd);
}

/* --- the kernel's command line ------------------------------------------------------------------------------------ */

static char command_line[4096];

/* Finds name=VALUE in it. */
static bool parameter_find(const char *name, char *ret_value, size_t size) {
        for (const char *p = command_line; *p; p++) {
                const char *value = string_after(p, name);
                size_t n = 0;

                if ((p != command_line && p[-1] != ' ') || !value || *value++ != '=')
                        continue;
                while (*value && *value != ' ' && *value != '\n' && n < size - 1)
                        ret_value[n++] = *value++;
                ret_value[n] = 0;
                return true;
        }
        return false;
}

/* --- the actions -------------------------------------------------------------------------------------------------- */

static void action_poweroff(void) { reboot(REBOOT_POWER_OFF); }
static void action_halt(void) { reboot(REBOOT_HALT); }
static void action_reboot(void) { reboot(REBOOT_RESTART); }
static void action_panic(void) { file_write("/proc/sysrq-trigger", "c"); }
static void action_button_obey(void) { button_obey_or_ignore(true, 1); }
static void action_button_ignore(void) { button_obey_or_ignore(false, UINT32_MAX); }
static void action_button_once(void) { button_obey_or_ignore(false, 1); }

/* Xen's: drivers/watchdog/xen_wdt.c. */
static void action_watchdog(void) {
        mount("devtmpfs", "/dev");
        file_write("/dev/watchdog", "");
        say("the watchdog waits", "", "");
}

static void action_mem(void) {
        file_write("/sys/power/state", "mem");
        say("woken", "", "");
}

/* As switch_root(8) does it: the first root of all cannot be left otherwise. */
static void go_on_in_root(void) {
        static char shell[] = "/bin/sh", script[256];
        char *arguments[] = { shell, script, NULL }, *environment[] = { NULL };

        parameter_find("vmpower.script", script, sizeof(script));
        syscall5(SYS_CHDIR, (long)"/root", 0, 0, 0, 0);
        mount_with(".", "/", "", MOUNT_MOVE, "");
        syscall5(SYS_CHROOT, (long)".", 0, 0, 0, 0);
        syscall5(SYS_CHDIR, (long)"/", 0, 0, 0, 0);
        say_failed(shell, syscall5(SYS_EXECVE, (long)shell, (long)arguments, (long)environment, 0, 0));
}

static void action_disk(void) {
        mount("devtmpfs", "/dev");
        syscall5(SYS_MKDIR, (long)"/root", 0755, 0, 0, 0);
        mount_with("/dev/vda", "/root", "ext4", 0, "");
        go_on_in_root();
}

static void action_shell(void) {
        for (const char *const *path = (const char *const[]){ "/shared", "/written", "/root", NULL }; *path; path++)
                syscall5(SYS_MKDIR, (long)*path, 0755, 0, 0, 0);
        mount_with("root", "/shared", "9p", MOUNT_READ_ONLY, "trans=virtio,version=9p2000.L,msize=512000,cache=loose");
        mount("tmpfs", "/written");
        syscall5(SYS_MKDIR, (long)"/written/upper", 0755, 0, 0, 0);
        syscall5(SYS_MKDIR, (long)"/written/work", 0755, 0, 0, 0);
        mount_with("root", "/root", "overlay", 0, "lowerdir=/shared,upperdir=/written/upper,workdir=/written/work");
        go_on_in_root();
}

/* What the kernel has said so far and has one of these texts in it.  A record: Documentation/ABI/testing/dev-kmsg */
static void log_search(const char *texts) {
        static char record[8192];
        long n;
        int fd;

        node_make("/dev/kmsg", 1, 11);
        fd = file_open("/dev/kmsg", OPEN_READ | OPEN_NONBLOCK);
        while ((n = syscall5(SYS_READ, fd, (long)record, sizeof(record) - 1, 0, 0)) > 0) {
                char *words = record, *end;

                record[n] = 0;
                while (*words && *words++ != ';')
                        ;
                for (end = words; *end && *end != '\n'; end++)
                        ;
                *end = 0;
                if (string_has_one(words, texts))
                        say("log: ", words, "");
        }
        if (n != -ERROR_AGAIN)
                say_failed("/dev/kmsg", n);
        file_close(fd);
}

static void action_do(const char *name);

/* The terminal gives it by lines. */
static void action_console(void) {
        static char line[256];
        long n;

        for (;;) {
                const char *words;
                char *path = line + string_length("write "), *text = path;

                say("ready", "", "");
                n = syscall5(SYS_READ, 0, (long)line, sizeof(line) - 1, 0, 0);
                if (n <= 0)
                        return;
                line[line[n - 1] == '\n' ? n - 1 : n] = 0;

                words = string_after(line, "log ");
                if (words) {
                        log_search(words);
                } else if (string_after(line, "write ")) {
                        while (*text && *text != ' ')
                                text++;
                        if (*text)
                                *text++ = 0;
                        file_write(path, text);
                } else {
                        action_do(line);
                }
        }
}

static const struct action {
        const char *name;
        void (*run)(void);
} actions[] = {
        { "poweroff",      action_poweroff      },
        { "halt",          action_halt          },
        { "reboot",        action_reboot        },
        { "panic",         action_panic         },
        { "mem",           action_mem           },
        { "watchdog",      action_watchdog      },
        { "button-obey",   action_button_obey   },
        { "button-ignore", action_button_ignore },
        { "button-once",   action_button_once   },
        { "console",       action_console       },
        { "shell",         action_shell         },
        { "disk",          action_disk          },
        { "idle",          idle                 },
};

static void action_do(const char *name) {
        for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
                if (string_is(name, actions[i].name)) {
                        say(name, "", "");
                        actions[i].run();
                        return;
                }
        say("unknown action ", name, "");
}

/* The kernel has called us as this, with nothing open. */
static void request_do(const char *path, void (*run)(void)) {
        char how[16] = "";

        file_open("/dev/console", OPEN_READ);
        file_open("/dev/console", OPEN_WRITE);
        file_read("/proc/cmdline", command_line, sizeof(command_line));
        parameter_find("vmpower.request", how, sizeof(how));
        say(path, " was called", string_is(how, "ignore") ? ", and is ignored" : "");
        if (!string_is(how, "ignore"))
                run();
        syscall5(SYS_EXIT, 0, 0, 0, 0, 0);
}

__attribute__((used, noreturn)) static void init(const char *self) {
        char name[32] = "idle", delay[16] = "0";
        struct timespec time = {0, 0};

        if (string_is(self, "/sbin/poweroff"))
                request_do(self, action_poweroff);
        if (string_is(self, "/sbin/reboot"))
                request_do(self, action_reboot);

        mount("proc", "/proc");
        mount("sysfs", "/sys");
        modules_load();

        file_read("/proc/cmdline", command_line, sizeof(command_line));
        parameter_find("vmpower.action", name, sizeof(name));
        parameter_find("vmpower.delay", delay, sizeof(delay));

        for (const char *p = delay; *p >= '0' && *p <= '9'; p++)
                time.seconds = time.seconds * 10 + (*p - '0');
        if (time.seconds)
                syscall5(SYS_NANOSLEEP, (long)&time, 0, 0, 0, 0);

        action_do(name);
        idle();
        __builtin_unreachable();
}
