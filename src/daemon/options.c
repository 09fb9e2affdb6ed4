#include "daemon/options.h"

#include "basics/cleanup.h"
#include "engine/directories.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
        STATUS_FAILED = 1,
        STATUS_USAGE = 2,

        OPTION_CONFIG = 256,
        OPTION_VERSION,
        OPTION_KEY, /* and above: the i-th key */
        KEYS_MAX = 32,
        KEY_NAME_MAX = 32,
};

static const char help[] =
        "Usage: vmpowerd [OPTION …]\n"
        "\n"
        "Finds every VM of this host, looks after it, and answers for it on RUN_DIR/vmpower.sock.  Runs under systemd\n"
        "(type=notify, its socket may be handed over) or by hand; ends on SIGTERM and SIGINT, which no VM notices.\n"
        "\n"
        "  --config FILE           read FILE, not CONFIG_DIR/vmpowerd.conf\n"
        "  --take-monitors GLOB    open the QMP monitors whose path matches (*)\n"
        "  --halt-after SECONDS    look whether a guest has halted once it stood still so long; 0: never (2)\n"
        "  --hook PATH             run PATH, or each program in it, for each verdict, beside CONFIG_DIR/hooks.d (*)\n"
        "  --hook-timeout SECONDS  a hook that runs longer is ended (30)\n"
        "  --hooks-at-once N       so many of one hook run at the same time at most (4)\n"
        "  --journald WHEN         tell the journal: auto, on or off (auto: if it is there)\n"
        "  --metrics-listen HOST:PORT  answer /metrics there, to anyone (off)\n"
        "  --xen WHEN              look after Xen's domains: auto, yes or no (auto: on a Xen host)\n"
        "  --xen-policy WHICH      auto: do to a domain that nobody else looks after what its own configuration wants;\n"
        "                          leave: only watch (auto)\n"
        "  --retention-days N      keep evidence so long; 0: for ever (400)\n"
        "  --retention-size SIZE   keep so much of it, such as 500M; 0: any number of bytes (1G)\n"
        "  -h, --help              this text\n"
        "      --version\n"
        "\n"
        "(*) may be given several times.  What is given here outranks the file; see vmpowerd.conf(5).\n"
        "State is in $VMPOWER_STATE_DIR, sockets are in $VMPOWER_RUN_DIR, and CONFIG_DIR is $VMPOWER_CONFIG_DIR; see vmpowerd(8).\n";

/* What the command line has set, in its order, until the file is read. */
struct setting {
        const char *key, *value;
};

struct command_line {
        struct setting *settings; /* owned; room for all of argv */
        size_t n;
        const char *config;
};

static void command_line_deinit(struct command_line *line) {
        free(line->settings);
}

/* An option for each key: halt_after is --halt-after. */
static void make_options(struct option ret_options[static KEYS_MAX + 5], char ret_names[static KEYS_MAX][KEY_NAME_MAX]) {
        static const struct option own[] = {
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
        };
        size_t n = 0;
        const char *key;

        for (size_t i = 0; i < N_ELEMENTS(own); i++)
                ret_options[n++] = own[i];
        for (size_t i = 0; i < KEYS_MAX && (key = configuration_key(i)); i++) {
                snprintf(ret_names[i], KEY_NAME_MAX, "%s", key);
                for (char *at = ret_names[i]; *at; at++)
                        if (*at == '_')
                                *at = '-';
                ret_options[n++] = (struct option){ ret_names[i], required_argument, NULL, OPTION_KEY + (int)i };
        }
        ret_options[n] = (struct option){};
}

static int fail(int *ret_status, int status) {
        *ret_status = status;
        return OPTIONS_END;
}

static int read_command_line(struct command_line *line, int argc, char **argv, int *ret_status) {
        char names[KEYS_MAX][KEY_NAME_MAX];
        struct option options[KEYS_MAX + 5];
        int option;

        make_options(options, names);
        opterr = 0;
        while ((option = getopt_long(argc, argv, ":h", options, NULL)) >= 0)
                switch (option) {
                case OPTION_CONFIG:
                        line->config = optarg;
                        break;
                case 'h':
                        fputs(help, stdout);
                        return fail(ret_status, 0);
                case OPTION_VERSION:
                        printf("vmpowerd %s\n", VMPOWER_VERSION);
                        return fail(ret_status, 0);
                case '?':
                case ':':
                        fprintf(stderr, "vmpowerd: %s %.64s; see vmpowerd --help\n",
                                option == ':' ? "a value is missing after" : "there is no option", argv[optind - 1]);
                        return fail(ret_status, STATUS_USAGE);
                default:
                        line->settings[line->n++] =
                                (struct setting){ configuration_key((size_t)(option - OPTION_KEY)), optarg };
                        break;
                }
        if (optind < argc) {
                fprintf(stderr, "vmpowerd: it takes no arguments, such as %.64s; see vmpowerd --help\n", argv[optind]);
                return fail(ret_status, STATUS_USAGE);
        }
        return 0;
}

/* One byte more than a configuration may have, so that it is seen when there is more.  -errno. */
static int read_file(const char *path, char ret_text[static CONFIGURATION_FILE_MAX + 1], size_t *ret_n) {
        cleanup(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        /* A pipe that nobody has written to yet would be an empty configuration. */
        if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
        for (*ret_n = 0; *ret_n <= CONFIGURATION_FILE_MAX; *ret_n += (size_t)n) {
                n = read(fd, ret_text + *ret_n, CONFIGURATION_FILE_MAX + 1 - *ret_n);
                if (n < 0)
                        return -errno;
                if (!n)
                        break;
        }
        return 0;
}

static void complain(unsigned line, const char *why, void *userdata) {
        const char *path = userdata;

        if (line)
                fprintf(stderr, "vmpowerd: %s:%u: %s\n", path, line, why);
        else
                fprintf(stderr, "vmpowerd: %s: %s\n", path, why);
}

/* The default file need not be there. */
static int take_file(struct configuration *configuration, const char *given, int *ret_status) {
        cleanup(freep) char *text = malloc(CONFIGURATION_FILE_MAX + 1);
        char path[PATH_MAX + 32], directory[PATH_MAX];
        size_t n = 0;
        int r;

        if (given)
                snprintf(path, sizeof(path), "%.4000s", given);
        else if (config_directory(directory, sizeof(directory)))
                return 0;
        else
                snprintf(path, sizeof(path), "%s/vmpowerd.conf", directory);
        r = text ? read_file(path, text, &n) : -ENOMEM;
        if (r == -ENOENT && !given)
                return 0;
        if (r) {
                fprintf(stderr, "vmpowerd: cannot read %s: %s\n", path, strerror(-r));
                return fail(ret_status, STATUS_FAILED);
        }
        r = configuration_read(configuration, text, n, complain, path);
        if (r == -ENOMEM)
                fprintf(stderr, "vmpowerd: out of memory\n");
        return r ? fail(ret_status, STATUS_FAILED) : 0;
}

static int take_settings(struct configuration *configuration, const struct command_line *line, int *ret_status) {
        char why[CONFIGURATION_WHY_MAX];

        for (size_t i = 0; i < line->n; i++)
                configuration_clear(configuration, line->settings[i].key);
        for (size_t i = 0; i < line->n; i++) {
                int r = configuration_set(configuration, line->settings[i].key, line->settings[i].value, why);

                if (r) {
                        fprintf(stderr, "vmpowerd: %s\n", r == -ENOMEM ? "out of memory" : why);
                        return fail(ret_status, r == -ENOMEM ? STATUS_FAILED : STATUS_USAGE);
                }
        }
        return 0;
}

int options_take(struct configuration *ret_configuration, int argc, char **argv, int *ret_status) {
        cleanup(command_line_deinit) struct command_line line = { calloc((size_t)argc + 1, sizeof(*line.settings)), 0, NULL };
        cleanup(configuration_deinit) struct configuration configuration;
        int r;

        configuration_init(&configuration);
        if (!line.settings) {
                fprintf(stderr, "vmpowerd: out of memory\n");
                return fail(ret_status, STATUS_FAILED);
        }
        r = read_command_line(&line, argc, argv, ret_status);
        if (!r)
                r = take_file(&configuration, line.config, ret_status);
        if (!r)
                r = take_settings(&configuration, &line, ret_status);
        if (r)
                return r;
        *ret_configuration = configuration;
        configuration_init(&configuration);
        return 0;
}
