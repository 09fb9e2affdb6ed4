# With isa-debug-exit, status 1 is a guest's that wrote 0, or the VMM's own error, of which nothing was heard.
 0.000  qmp      web1 running
 0.001  qmp      web1 device isa-debug-exit
 5.001  process  web1 exited 1
 6.000  expect   web1 poweroff by guest, debug-exit, graceful unknown, left gone, likely, rule debug-exit-or-error
