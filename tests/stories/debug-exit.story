# An odd exit status of a VM with isa-debug-exit is the guest's own end.
 0.000  qmp      web1 running
 0.001  qmp      web1 device isa-debug-exit
 0.002  stderr   web1 message "qemu-system-x86_64: warning: TCG doesn't support requested feature"
 5.001  process  web1 exited 33
 6.000  expect   web1 poweroff by guest, debug-exit, graceful unknown, left gone, rule debug-exit
