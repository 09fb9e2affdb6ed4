# The signal with which a toolstack clears away what a guest powered off is no cause.
 0.000  qmp      web1 running
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      web1 STOP
 5.200  trace    web1 signal SIGTERM pid=812 comm=libvirtd user=root
 5.201  qmp      web1 SHUTDOWN guest=false reason=host-signal
 5.202  stderr   web1 signal SIGTERM pid=812 comm=libvirtd
 5.210  process  web1 exited 0
 6.000  expect   web1 poweroff by guest, acpi-s5, graceful, certain, rule guest-poweroff
 1h     expect   web1 1 verdict
