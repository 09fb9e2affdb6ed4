# A busy monitor is read for a while after its QEMU has gone, so that the last resets seem to be later than its end: that is an end of its own.
 1.000  qmp      web1 running
 5.000  qmp      web1 RESET guest=true reason=guest-reset
 5.000  expect   web1 reboot by guest, guest-reset
 5.300  qmp      web1 RESET guest=true reason=guest-reset
 5.310  process  web1 exited 0 at=5.200
 5.400  qmp      web1 RESET guest=true reason=guest-reset
 5.410  qmp      web1 monitor-closed
59.000  expect   web1 unknown by unknown, process-exit, left gone, rule exit-unexplained
59.000  expect   web1 2 verdicts
# Nothing was told of it before.
 1.000  qmp      web2 running
 5.000  trace    web2 signal SIGKILL pid=990 comm=kill user=anna
 5.001  process  web2 killed SIGKILL
 5.002  qmp      web2 RESET guest=true reason=guest-reset
 5.003  qmp      web2 monitor-closed
59.000  expect   web2 destroy by operator, signal, certain, left gone, actor kill
59.000  expect   web2 1 verdict
# It is read when its end has been told.
 1.000  qmp      web3 running
 5.000  trace    web3 signal SIGKILL pid=990 comm=kill user=anna
 5.001  process  web3 killed SIGKILL
50.000  expect   web3 destroy by operator, signal, certain, left gone, actor kill
50.001  qmp      web3 RESET guest=true reason=guest-reset
50.002  qmp      web3 RESUME
50.003  qmp      web3 monitor-closed
59.000  expect   web3 destroy by operator, signal, certain, left gone, actor kill
59.000  expect   web3 1 verdict
# What the guest did last, read as late, is what ended it.
 1.000  qmp      web4 running
 5.000  process  web4 exited 0
 5.001  qmp      web4 RESET guest=true reason=guest-reset
 5.002  qmp      web4 SHUTDOWN guest=true reason=guest-shutdown
 5.003  qmp      web4 monitor-closed
59.000  expect   web4 poweroff by guest, acpi-s5, certain, left gone
59.000  expect   web4 1 verdict
# A panicked guest has been reset, and the reset is read when its QEMU has been killed.
policy web5 on_crash=leave
 1.000  qmp      web5 running
 5.000  qmp      web5 GUEST_PANICKED action=run
 5.000  expect   web5 crash by guest, panic-device
 5.310  qmp      web5 RESET guest=true reason=guest-reset
 5.320  process  web5 killed SIGKILL at=5.300
 5.330  qmp      web5 monitor-closed
59.000  expect   web5 2 verdicts
