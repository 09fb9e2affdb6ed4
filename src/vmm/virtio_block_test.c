/* A disk, as its driver sees it; its file is in memory. */
#include "vmm/virtio_block.h"

#include "basics/cleanup.h"
#include "vmm/virtio_driver_fixture.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

enum {
        N_SECTORS = 2000, /* more than passes through the device at once */
        IN = 0,
        OUT = 1,
        FLUSH = 4,
        GET_ID = 8,
        OK = 0,
        IOERR = 1,
        UNSUPP = 2,
        HEADER = DRIVER_DATA,
        STATUS = DRIVER_DATA + 0x100,
        DATA = DRIVER_DATA + 0x1000,
};

#define F_RO (1U << 5)
#define F_FLUSH (1U << 9)

static struct driver driver;
static char path[64], why[VIRTIO_DEVICE_WHY_MAX];
static int file = -1;

/* Whoever flushes the disk comes here. */
static unsigned n_flushes;
static bool flush_fails;

int fdatasync(int fd) {
        n_flushes++;
        errno = EIO;
        return flush_fails ? -1 : 0;
}

static uint8_t pattern(uint64_t at) {
        return (uint8_t)(at * 7 + at / 512);
}

static int set_up(void **state) {
        n_flushes = 0;
        flush_fails = false;
        driver_init(&driver);
        file = memfd_create("disk", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
        for (uint64_t at = 0; at < N_SECTORS * 512; at++) {
                static uint8_t buffer[4096];

                buffer[at % sizeof(buffer)] = pattern(at);
                if (at % sizeof(buffer) == sizeof(buffer) - 1 || at == N_SECTORS * 512 - 1)
                        assert_int_equal(pwrite(file, buffer, at % sizeof(buffer) + 1, (off_t)(at - at % sizeof(buffer))), at % sizeof(buffer) + 1);
        }
        return 0;
}

static int tear_down(void **state) {
        driver_deinit(&driver);
        close_fd(&file);
        return 0;
}

static void begin(bool is_readonly, uint64_t features) {
        driver.device = virtio_device_free(driver.device);
        assert_int_equal(virtio_block_new(&driver.device, &driver.memory, path, is_readonly, why), 0);
        driver_begin(&driver, features);
}

static void set_header(uint32_t type, uint64_t sector) {
        memcpy(driver.memory.bytes + HEADER, &type, 4);
        memcpy(driver.memory.bytes + HEADER + 8, &sector, 8);
}

/* Its status, and how much the device says it has written; -1: nothing came back. */
static int ask(uint32_t type, uint64_t sector, uint32_t n, bool is_written_to, uint32_t *ret_n) {
        uint32_t head;

        set_header(type, sector);
        driver.memory.bytes[STATUS] = 0xee;
        driver_describe(&driver, 0, 0, HEADER, 16, DRIVER_NEXT, n ? 1 : 2);
        driver_describe(&driver, 0, 1, DATA, n, DRIVER_NEXT | (is_written_to ? DRIVER_WRITE : 0), 2);
        driver_describe(&driver, 0, 2, STATUS, 1, DRIVER_WRITE, 0);
        driver_offer(&driver, 0, 0);
        virtio_device_serve(driver.device);
        if (!driver_take_used(&driver, 0, &head, ret_n))
                return -1;
        assert_int_equal(head, 0);
        return driver.memory.bytes[STATUS];
}

static void it_says_how_large_it_is(void **state) {
        begin(false, 0);
        assert_int_equal(driver_read(&driver, 0x08), 2);
        assert_int_equal(driver_read(&driver, 0x100), N_SECTORS);
        assert_int_equal(driver_read(&driver, 0x104), 0);
        assert_int_equal(driver_read(&driver, 0x10c), 126);
        assert_int_equal(driver_read(&driver, 0x114), 512);
        assert_int_equal(driver_read(&driver, 0x10) & F_RO, 0);
        begin(true, F_RO);
        assert_int_equal(driver_read(&driver, 0x10) & F_RO, F_RO);
}

static void sectors_are_read(void **state) {
        static const struct {
                uint64_t sector;
                uint32_t n;
        } cases[] = { { 0, 1 }, { 17, 3 }, { N_SECTORS - 1, 1 }, { 0, 1500 }, { 500, 0 } };
        uint32_t n;

        begin(true, 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                assert_int_equal(ask(IN, cases[i].sector, cases[i].n * 512, true, &n), OK);
                assert_int_equal(n, cases[i].n * 512 + 1);
                for (uint32_t at = 0; at < cases[i].n * 512; at++)
                        assert_int_equal(driver.memory.bytes[DATA + at], pattern(cases[i].sector * 512 + at));
        }
}

static void sectors_are_written(void **state) {
        static uint8_t found[1500 * 512];
        uint32_t n;

        begin(false, F_FLUSH);
        for (size_t at = 0; at < sizeof(found); at++)
                driver.memory.bytes[DATA + at] = (uint8_t)(at * 3 + at / 1000);
        assert_int_equal(ask(OUT, 9, sizeof(found), false, &n), OK);
        assert_int_equal(n, 1);
        assert_int_equal(pread(file, found, sizeof(found), 9 * 512), sizeof(found));
        assert_memory_equal(found, driver.memory.bytes + DATA, sizeof(found));
        assert_int_equal(pread(file, found, 1, 9 * 512 - 1), 1);
        assert_int_equal(found[0], pattern(9 * 512 - 1));
        assert_int_equal(pread(file, found, 1, 1509 * 512), 1);
        assert_int_equal(found[0], pattern(1509 * 512));
        assert_int_equal(ask(FLUSH, 0, 0, false, &n), OK);
        assert_int_equal(n, 1);
}

/* 5.2.6.2 */
static void what_is_flushed_is_on_the_disk(void **state) {
        uint32_t n;

        begin(false, F_FLUSH);
        assert_int_equal(ask(OUT, 0, 512, false, &n), OK);
        assert_int_equal(n_flushes, 0);
        assert_int_equal(ask(FLUSH, 0, 0, false, &n), OK);
        assert_int_equal(n_flushes, 1);
        flush_fails = true;
        assert_int_equal(ask(FLUSH, 0, 0, false, &n), IOERR);

        /* A driver that cannot flush. */
        begin(false, 0);
        n_flushes = 0;
        assert_int_equal(ask(OUT, 0, 512, false, &n), IOERR);
        flush_fails = false;
        assert_int_equal(ask(OUT, 0, 512, false, &n), OK);
        assert_int_equal(n_flushes, 2);
}

/* Its parts lie as they like: the header in two, the status in the room's last byte. */
static void parts_are_the_drivers_choice(void **state) {
        uint32_t head, n;

        begin(false, 0);
        set_header(IN, 4);
        driver_describe(&driver, 0, 0, HEADER, 5, DRIVER_NEXT, 1);
        driver_describe(&driver, 0, 1, HEADER + 5, 11, DRIVER_NEXT, 2);
        driver_describe(&driver, 0, 2, DATA, 100, DRIVER_NEXT | DRIVER_WRITE, 3);
        driver_describe(&driver, 0, 3, DATA + 100, 413, DRIVER_WRITE, 0);
        driver.memory.bytes[DATA + 512] = 0xee;
        driver_offer(&driver, 0, 0);
        virtio_device_serve(driver.device);
        assert_true(driver_take_used(&driver, 0, &head, &n));
        assert_int_equal(n, 513);
        assert_int_equal(driver.memory.bytes[DATA + 512], OK);
        for (uint32_t at = 0; at < 512; at++)
                assert_int_equal(driver.memory.bytes[DATA + at], pattern(4 * 512 + at));
}

static void what_is_not_on_the_disk_fails(void **state) {
        static const struct {
                uint64_t sector;
                uint32_t n;
        } cases[] = { { N_SECTORS, 512 }, { N_SECTORS - 1, 1024 }, { UINT64_MAX, 512 }, { UINT64_MAX / 512, 512 }, { UINT64_C(1) << 55, 512 }, { 0, 511 },
                      { 0, 513 } };
        struct stat about;
        uint32_t n;

        begin(false, 0);
        for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
                /* What was there for another is not told. */
                assert_int_equal(ask(IN, 3, 1024, true, &n), OK);
                assert_int_equal(ask(IN, cases[i].sector, cases[i].n, true, &n), IOERR);
                assert_int_equal(n, cases[i].n + 1);
                for (uint32_t at = 0; at < cases[i].n; at++)
                        assert_int_equal(driver.memory.bytes[DATA + at], 0);
                assert_int_equal(ask(OUT, cases[i].sector, cases[i].n, false, &n), IOERR);
                assert_int_equal(n, 1);
        }
        assert_int_equal(fstat(file, &about), 0);
        assert_int_equal(about.st_size, N_SECTORS * 512);
}

static void a_file_that_has_become_shorter_fails_what_it_lacks(void **state) {
        uint32_t n;

        begin(false, 0);
        assert_int_equal(ftruncate(file, 512 * 512), 0);
        assert_int_equal(ask(IN, 511, 512, true, &n), OK);
        assert_int_equal(ask(IN, 511, 1024, true, &n), IOERR);
        assert_int_equal(ask(IN, 0, 1500 * 512, true, &n), IOERR);
        assert_int_equal(driver_read(&driver, 0x70), 15);
}

static void a_read_only_disk_is_not_written(void **state) {
        uint8_t found;
        uint32_t n;

        begin(true, F_RO);
        memset(driver.memory.bytes + DATA, 0xee, 512);
        assert_int_equal(ask(OUT, 1, 512, false, &n), IOERR);
        assert_int_equal(pread(file, &found, 1, 512), 1);
        assert_int_equal(found, pattern(512));
        assert_int_equal(ask(FLUSH, 0, 0, false, &n), OK);
}

static void it_has_an_id(void **state) {
        uint32_t n;

        begin(false, 0);
        assert_int_equal(ask(GET_ID, 0, 20, true, &n), OK);
        assert_int_equal(n, 21);
        assert_memory_equal(driver.memory.bytes + DATA, "vmpower-", 8);
        for (unsigned i = 8; i < 20; i++)
                assert_true(isxdigit(driver.memory.bytes[DATA + i]));
}

static void what_is_unknown_is_unsupported(void **state) {
        uint32_t n;

        begin(false, 0);
        assert_int_equal(ask(11, 0, 16, false, &n), UNSUPP); /* discard: it is not offered */
        assert_int_equal(ask(UINT32_MAX, 0, 0, false, &n), UNSUPP);
        assert_int_equal(n, 1);
        assert_int_equal(driver_read(&driver, 0x70), 15);
}

/* 2.1.2: and the driver is told. */
static void needs_a_reset(void) {
        uint32_t head, n;

        virtio_device_serve(driver.device);
        assert_false(driver_take_used(&driver, 0, &head, &n));
        assert_int_equal(driver_read(&driver, 0x70), 15 | VIRTIO_NEEDS_RESET);
        assert_int_equal(driver_read(&driver, 0x60) & VIRTIO_MMIO_CONFIGURATION, VIRTIO_MMIO_CONFIGURATION);
        assert_int_equal(ask(FLUSH, 0, 0, false, &n), -1);
        driver_begin(&driver, 0);
        assert_int_equal(ask(FLUSH, 0, 0, false, &n), OK);
}

static void a_request_without_its_parts_needs_a_reset(void **state) {
        begin(false, 0);
        driver_describe(&driver, 0, 0, HEADER, 16, 0, 0); /* no room for a status */
        driver_offer(&driver, 0, 0);
        needs_a_reset();
        driver_describe(&driver, 0, 0, HEADER, 15, DRIVER_NEXT, 1);
        driver_describe(&driver, 0, 1, STATUS, 1, DRIVER_WRITE, 0);
        driver_offer(&driver, 0, 0);
        needs_a_reset();
        driver_describe(&driver, 0, 0, STATUS, 1, DRIVER_WRITE, 0);
        driver_offer(&driver, 0, 0);
        needs_a_reset();
        driver_describe(&driver, 0, 0, HEADER, 16, DRIVER_NEXT, 0); /* a loop */
        driver_offer(&driver, 0, 0);
        needs_a_reset();
        driver_set_available(&driver, 0, 0, 4000);
        needs_a_reset();
}

static void a_disk_has_one_that_writes(void **state) {
        struct virtio_device *other;

        begin(false, 0);
        assert_int_equal(virtio_block_new(&other, &driver.memory, path, false, why), -EWOULDBLOCK);
        assert_non_null(strstr(why, "another program has it"));
        assert_int_equal(virtio_block_new(&other, &driver.memory, path, true, why), -EWOULDBLOCK);
        begin(true, 0);
        assert_int_equal(virtio_block_new(&other, &driver.memory, path, true, why), 0);
        virtio_device_free(other);
}

static void what_is_no_disk_is_refused(void **state) {
        struct virtio_device *other;

        assert_int_equal(virtio_block_new(&other, &driver.memory, "/nonexistent", true, why), -ENOENT);
        assert_string_equal(why, "/nonexistent: No such file or directory");
        assert_int_equal(virtio_block_new(&other, &driver.memory, "/", true, why), -EINVAL);
        assert_int_equal(virtio_block_new(&other, &driver.memory, "/dev/null", false, why), -EINVAL);
        assert_int_equal(ftruncate(file, 511), 0);
        assert_int_equal(virtio_block_new(&other, &driver.memory, path, true, why), -EINVAL);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_says_how_large_it_is, set_up, tear_down),
                cmocka_unit_test_setup_teardown(sectors_are_read, set_up, tear_down),
                cmocka_unit_test_setup_teardown(sectors_are_written, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_flushed_is_on_the_disk, set_up, tear_down),
                cmocka_unit_test_setup_teardown(parts_are_the_drivers_choice, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_not_on_the_disk_fails, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_file_that_has_become_shorter_fails_what_it_lacks, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_read_only_disk_is_not_written, set_up, tear_down),
                cmocka_unit_test_setup_teardown(it_has_an_id, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_unknown_is_unsupported, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_request_without_its_parts_needs_a_reset, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_disk_has_one_that_writes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_no_disk_is_refused, set_up, tear_down),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
