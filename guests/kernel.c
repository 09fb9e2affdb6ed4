/*
 * A kernel that says what it was given and does one thing: `kernel`, as an ELF file with a PVH entry, and `kernel.bz`, as a bzImage.
 *
 *      vmpower-vmm --kernel kernel.bz --initrd FILE --append 'poweroff' --serial stdio
 *
 * It prints a line each: how it was entered, its command line, its initrd (bytes, the sum of the first 65536), its memory (MiB, from address), its ACPI tables, how many CPUs
 * have answered.  Then what the command line's first word says:
 *
 *      poweroff reset halt          by PM1 control, by port 0xcf9, by HLT of every CPU with interrupts off
 *      poweroff-ged                 by the sleep control of QEMU's microvm (ACPI 4.8.3.7, docs/system/i386/microvm.rst there)
 *      idle                         HLT with interrupts on
 *      sleep sleep-rtc              S3, with an alarm of the real-time clock two seconds later; out of it "wWBR": WAK_STS, PWRBTN_STS, RTC_STS
 *      echo                         what it is sent, until a line ends
 *      fault fault-idt              a triple fault: by an instruction that is none, with an interrupt table that is wrong, or empty
 *      ports=SEED                   random accesses to random ports, a million, over all resets
 *      spin                         for ever
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

extern u8 cpu_code[], cpu_code_end[], wake_code[], wake_code_end[], end[];

enum {
        CPU_CODE = 0x8000,
        WAKE_CODE = 0x4000,
        N_ACCESSES = 0x5000, /* 4 bytes that no reset loads anew */
        COM1 = 0x3f8,
        PM1_STATUS = 0x600,
        PM1_ENABLE = 0x602,
        PM1_CONTROL = 0x604,
};

#define GED_SLEEP_CONTROL 0xfea00200UL

static inline void outb(u16 port, u8 value) {
        __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(u16 port, u16 value) {
        __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(u16 port, u32 value) {
        __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 inb(u16 port) {
        u8 value;

        __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
        return value;
}

static inline void outs(u16 port, u64 n) {
        u64 from = 0x8000;

        __asm__ volatile("rep outsw" : "+S"(from), "+c"(n) : "d"(port) : "memory");
}

static inline void ins(u16 port, u64 n) {
        u64 to = 0x3000;

        __asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"(port) : "memory");
}

static inline u32 inl(u16 port) {
        u32 value;

        __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
        return value;
}

static void *at(u64 address) {
        return (void *)address;
}

static u64 number(u64 address, unsigned n) {
        const u8 *bytes = at(address);
        u64 value = 0;

        for (unsigned i = 0; i < n; i++)
                value |= (u64)bytes[i] << i * 8;
        return value;
}

static void copy(u64 to, const u8 *from, const u8 *until) {
        u8 *bytes = at(to);

        while (from < until)
                *bytes++ = *from++;
}

/* The compiler makes calls of these. */
void *memset(void *to, int value, u64 n) {
        u8 *bytes = to;

        while (n--)
                *bytes++ = (u8)value;
        return to;
}

static void halt(void) {
        for (;;)
                __asm__ volatile("cli; hlt");
}

/* --- words ------------------------------------------------------------------------------------------------------- */

static void print(const char *text) {
        for (; *text; text++)
                outb(COM1, (u8)*text);
}

static void print_number(u64 value) {
        char digits[24];
        unsigned n = sizeof(digits);

        digits[--n] = '\0';
        do {
                digits[--n] = (char)('0' + value % 10);
                value /= 10;
        } while (value);
        print(digits + n);
}

static int begins_with(const char *text, const char *word) {
        while (*word)
                if (*text++ != *word++)
                        return 0;
        return 1;
}

/* --- what it was given ------------------------------------------------------------------------------------------- */

static u64 rsdp, local_apic;
static unsigned n_cpus;

static void tell_initrd(u64 address, u64 n) {
        u64 sum = 0;

        for (u64 i = 0; i < n && i < 65536; i++)
                sum += *(u8 *)at(address + i);
        print("kernel: initrd ");
        print_number(n);
        print(" bytes, sum ");
        print_number(sum);
        print("\n");
}

static void tell_region(u64 address, u64 n, u32 type) {
        if (type != 1)
                return;
        print("kernel: memory ");
        print_number(n >> 10);
        print(" KiB from ");
        print_number(address >> 20);
        print(" MiB\n");
}

/* PVH's start info, or boot_params. */
static const char *read_given(int is_pvh, u64 given) {
        const char *command_line;

        print(is_pvh ? "kernel: PVH\n" : "kernel: bzImage, 64 bits\n");
        if (is_pvh) {
                command_line = at(number(given + 24, 8));
                rsdp = number(given + 32, 8);
                if (number(given + 12, 4))
                        tell_initrd(number(number(given + 16, 8), 8), number(number(given + 16, 8) + 8, 8));
                for (u64 i = 0, map = number(given + 40, 8); i < number(given + 48, 4); i++, map += 24)
                        tell_region(number(map, 8), number(map + 8, 8), (u32)number(map + 16, 4));
        } else {
                command_line = at(number(given + 0x228, 4));
                rsdp = number(given + 0x70, 8);
                if (number(given + 0x21c, 4))
                        tell_initrd(number(given + 0x218, 4), number(given + 0x21c, 4));
                for (u64 i = 0, map = given + 0x2d0; i < number(given + 0x1e8, 1); i++, map += 20)
                        tell_region(number(map, 8), number(map + 8, 8), (u32)number(map + 16, 4));
        }
        print("kernel: command line: ");
        print(command_line);
        print("\n");
        return command_line;
}

static int sum_of(u64 address, u64 n) {
        u8 sum = 0;

        for (u64 i = 0; i < n; i++)
                sum += *(u8 *)at(address + i);
        return sum;
}

/* ACPI 5.2.12: a local APIC's entry is of type 0, and its flag 0 says that there is one. */
static void read_madt(u64 madt) {
        local_apic = number(madt + 36, 4);
        for (u64 entry = madt + 44; entry < madt + number(madt + 4, 4); entry += number(entry + 1, 1))
                n_cpus += !number(entry, 1) && number(entry + 4, 4) & 1;
}

static void read_tables(void) {
        u64 xsdt, n;

        print("kernel: tables");
        if (!rsdp || number(rsdp + 15, 1) < 2) {
                print(" unknown\n");
                return;
        }
        xsdt = number(rsdp + 24, 8);
        n = number(xsdt + 4, 4);
        if (number(rsdp, 8) != 0x2052545020445352 || sum_of(rsdp, 36) || sum_of(xsdt, n))
                print(" WRONG");
        for (u64 i = xsdt + 36; i < xsdt + n; i += 8) {
                const u64 table = number(i, 8);
                char name[6] = " ";

                for (unsigned k = 0; k < 4; k++)
                        name[k + 1] = (char)number(table + k, 1);
                print(name);
                if (sum_of(table, number(table + 4, 4)))
                        print(" WRONG");
                if (begins_with(name, " APIC"))
                        read_madt(table);
        }
        print("\n");
}

/* --- the other CPUs ---------------------------------------------------------------------------------------------- */

static volatile u32 *apic(unsigned offset) {
        return at(local_apic + offset);
}

static void wait_us(u64 n) {
        const u32 began = inl(PM1_STATUS + 8);

        while (((inl(PM1_STATUS + 8) - began) & 0xffffff) < n * 3579545 / 1000000)
                __asm__ volatile("pause");
}

/* Intel SDM 3A, 8.4.4.1: INIT, and twice where to begin. */
static unsigned start_others(int are_to_halt) {
        volatile u16 *words = at(CPU_CODE);
        const unsigned at_count = (unsigned)(cpu_code_end - cpu_code) / 2 - 2;

        copy(CPU_CODE, cpu_code, cpu_code_end);
        words[at_count] = 0;
        words[at_count + 1] = (u16)are_to_halt;
        *apic(0xf0) = 0x1ff;
        *apic(0x300) = 0xc4500;
        wait_us(10000);
        *apic(0x300) = 0xc4600 | CPU_CODE >> 12;
        wait_us(200);
        *apic(0x300) = 0xc4600 | CPU_CODE >> 12;
        for (unsigned i = 0; i < 2000 && words[at_count] < n_cpus - 1; i++)
                wait_us(1000);
        return words[at_count];
}

static void start_cpus(int are_to_halt) {
        const unsigned n_others = n_cpus > 1 ? start_others(are_to_halt) : 0;

        print("kernel: CPUs ");
        print_number(1 + n_others);
        print(" of ");
        print_number(n_cpus);
        print("\n");
}

/* --- what it does ------------------------------------------------------------------------------------------------ */

static u64 facs(void) {
        const u64 xsdt = number(rsdp + 24, 8);

        for (u64 i = xsdt + 36; i < xsdt + number(xsdt + 4, 4); i += 8)
                if (begins_with(at(number(i, 8)), "FACP"))
                        return number(number(i, 8) + 36, 4);
        return 0;
}

static u8 cmos(u8 index) {
        outb(0x70, index);
        return inb(0x71);
}

static void set_cmos(u8 index, u8 value) {
        outb(0x70, index);
        outb(0x71, value);
}

/* MC146818A: in two seconds, whatever the minute: in BCD, as it is at power on. */
static void set_alarm(void) {
        const unsigned second = (cmos(0) >> 4) * 10 + (cmos(0) & 15), then = (second + 2) % 60;

        set_cmos(1, (u8)(then / 10 << 4 | then % 10));
        set_cmos(3, 0xff);
        set_cmos(5, 0xff);
        cmos(12);
        set_cmos(11, cmos(11) | 1 << 5);
        outw(PM1_ENABLE, 1 << 10);
}

static void sleep(void) {
        copy(WAKE_CODE, wake_code, wake_code_end);
        *(volatile u32 *)at(facs() + 12) = WAKE_CODE;
        outw(PM1_CONTROL, 1 << 10 | 1 << 13);
        halt();
}

/* That there is something is told by an interrupt, which nobody takes: it is seen at the first 8259, where it stays (Intel 8259A, OCW3). */
static void echo(void) {
        outb(COM1 + 4, 8);
        outb(COM1 + 2, 1);
        outb(COM1 + 1, 1);
        print("kernel: echo\n");
        do {
                outb(0x20, 0x0a);
        } while (!(inb(0x20) & 1 << 4));
        for (;;) {
                u8 byte;

                while (!(inb(COM1 + 5) & 1))
                        ;
                byte = inb(COM1);
                outb(COM1, byte);
                if (byte == '\n')
                        outw(PM1_CONTROL, 1 << 13);
        }
}

static void fault(int is_deliberate) {
        const struct __attribute__((packed)) {
                u16 limit;
                u64 base;
        } table = { is_deliberate ? 0 : 4095, 0x100000000 - 4096 };

        __asm__ volatile("lidt %0; ud2" : : "m"(table));
}

static u32 next(u32 *state) {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        return *state;
}

/* Half of them to where the power is. */
static void access_ports(u32 seed) {
        static const u16 bases[] = { 0x600, 0x60, 0x92, 0xb2, 0xcf8, 0x505, 0xafe0, 0x70, 0x3f8, 0x510, 0x20, 0x40 };
        volatile u32 *n = at(N_ACCESSES);
        u32 state = seed * 2654435761U + *n + 1;

        while (*n < 1000000) {
                const u32 dice = next(&state), value = next(&state);
                const u16 port = (u16)(dice & 1 ? bases[(dice >> 8) % 12] + (dice >> 16) % 64 : dice >> 16);

                *n += 1;
                switch (dice >> 1 & 7) {
                case 0:
                        inb(port);
                        break;
                case 1:
                        inl(port);
                        break;
                case 2:
                        outl(port, value);
                        break;
                case 3:
                        outs(port, value & 255);
                        break;
                case 4:
                        ins(port, value & 255);
                        break;
                case 5:
                        outw(port, (u16)value);
                        break;
                default:
                        outb(port, (u8)value);
                        break;
                }
        }
        print("kernel: a million accesses\n");
}

void kernel_main(int is_pvh, u64 given) {
        const char *action = read_given(is_pvh, given);
        u32 seed = 0;

        read_tables();
        start_cpus(begins_with(action, "halt"));
        if (begins_with(action, "poweroff-ged"))
                *(volatile u8 *)at(GED_SLEEP_CONTROL) = 5 << 2 | 1 << 5;
        if (begins_with(action, "poweroff"))
                outw(PM1_CONTROL, 1 << 13);
        if (begins_with(action, "reset"))
                outb(0xcf9, 6);
        if (begins_with(action, "sleep-rtc"))
                set_alarm();
        if (begins_with(action, "sleep"))
                sleep();
        if (begins_with(action, "echo"))
                echo();
        if (begins_with(action, "fault"))
                fault(begins_with(action, "fault-idt"));
        if (begins_with(action, "ports=")) {
                for (action += 6; *action >= '0' && *action <= '9'; action++)
                        seed = seed * 10 + (u32)(*action - '0');
                access_ports(seed);
        }
        if (begins_with(action, "spin"))
                for (;;)
                        ;
        if (begins_with(action, "idle")) /* every interrupt stays at its controller */
                for (;;)
                        __asm__ volatile("sti; hlt");
        halt();
}
