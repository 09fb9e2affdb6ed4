# Without a monitor a guest's poweroff is known by what the kernel saw it write to the PM1 control register.
 5.000  trace    web1 port-write port=0x604 value=8193 pc=true
 5.000  trace    web1 SHUTDOWN guest=true reason=guest-shutdown
 5.005  trace    web1 signal SIGTERM pid=990 comm=libvirtd
 5.040  process  web1 exited 0
 6.000  expect   web1 poweroff by guest, acpi-s5, graceful, left gone, certain, rule guest-poweroff
