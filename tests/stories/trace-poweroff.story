# Without a monitor a guest's poweroff is known by what the kernel saw it write to the PM1 control register, and by the end that came of it.
 5.000  trace    web1 port-write port=0x604 value=8193 pc=true
 5.000  trace    web1 SHUTDOWN guest=true reason=guest-shutdown
 5.040  process  web1 exited 0
 6.000  expect   web1 poweroff by guest, acpi-s5, graceful, left gone, certain, rule guest-poweroff
# A toolstack cleans up: that it would have ended without that is likely.
 5.000  trace    web2 port-write port=0x604 value=8193 pc=true
 5.000  trace    web2 SHUTDOWN guest=true reason=guest-shutdown
 5.005  trace    web2 signal SIGTERM pid=990 comm=libvirtd
 5.040  process  web2 exited 0
 6.000  expect   web2 poweroff by guest, acpi-s5, graceful, left gone, likely, rule guest-poweroff
# How it ended was not seen.
 5.000  trace    web3 port-write port=0x604 value=8193 pc=true
 5.000  trace    web3 SHUTDOWN guest=true reason=guest-shutdown
 5.040  process  web3 vanished
 6.000  expect   web3 poweroff by guest, acpi-s5, graceful, left gone, likely, rule guest-poweroff
# It slept to disk, after a reboot that was told.
 1.000  trace    web4 RESET guest=true reason=guest-reset
 2.000  expect   web4 reboot by guest, guest-reset
 5.000  trace    web4 port-write port=0x604 value=10241 pc=true
 5.000  trace    web4 SUSPEND_DISK
 5.000  trace    web4 SHUTDOWN guest=true reason=guest-shutdown
 5.040  process  web4 exited 0
 6.000  expect   web4 hibernate by guest, acpi-s4, graceful, left gone, certain
 6.000  expect   web4 2 verdicts
