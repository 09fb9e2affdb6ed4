# The kernel saw the guest's write and then the signal: one clock, so their order is certain, on a machine of an unknown type, too.
 0.000  qmp      web1 running
 5.000  trace    web1 port-write port=0xb004 value=8193 pc=true
 5.001  trace    web1 signal SIGTERM pid=990 comm=libvirtd
 5.002  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.040  process  web1 exited 0
 6.000  expect   web1 poweroff by guest, acpi-s5, graceful, left gone, certain, rule guest-poweroff
