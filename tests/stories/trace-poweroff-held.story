# Held by -no-shutdown, and nobody holds its monitor: it is off, likely, and stays "off" when it is cleared away at once.
 5.000  trace    web1 port-write port=0x604 value=8193 pc=true
 5.000  trace    web1 SHUTDOWN guest=true reason=guest-shutdown
 5.000  trace    web1 STOP
 5.000  trace    web1 status shutdown
 5.000  expect   web1 poweroff by guest, acpi-s5, graceful, left off, likely, rule guest-poweroff
 5.005  trace    web1 signal SIGTERM pid=990 comm=libvirtd
 5.040  process  web1 exited 0
 1h     expect   web1 poweroff by guest, acpi-s5, graceful, left off, likely
 1h     expect   web1 1 verdict
 1h     expect   web1 0 revisions
# Whether it was reset and ran again nobody heard: whoever kills it later is told.
 5.000  trace    web2 port-write port=0x604 value=8193 pc=true
 5.000  trace    web2 SHUTDOWN guest=true reason=guest-shutdown
 5.000  trace    web2 STOP
 5.000  trace    web2 status shutdown
13.000  expect   web2 poweroff by guest, acpi-s5, left off
13.000  trace    web2 signal SIGKILL pid=990 comm=bash
13.001  process  web2 killed SIGKILL
14.000  expect   web2 destroy by operator, signal, not graceful, left gone, likely, actor bash
14.000  expect   web2 2 verdicts
14.000  expect   web2 0 revisions
# By SIGTERM.
 5.000  trace    web3 SHUTDOWN guest=true reason=guest-shutdown
 5.000  trace    web3 STOP
 5.000  trace    web3 status shutdown
13.000  trace    web3 signal SIGTERM pid=990 comm=bash
13.030  process  web3 exited 0
14.000  expect   web3 destroy by operator, signal, not graceful, left gone, likely, actor bash
14.000  expect   web3 2 verdicts
# Who told it to quit was not seen: that is no more than clearing away.
 5.000  trace    web4 port-write port=0x604 value=8193 pc=true
 5.000  trace    web4 SHUTDOWN guest=true reason=guest-shutdown
 5.000  trace    web4 STOP
 5.000  trace    web4 status shutdown
13.030  process  web4 exited 0
14.000  expect   web4 poweroff by guest, acpi-s5, left off, likely
14.000  expect   web4 1 verdict
# A reset that nobody saw let it run, and it ends by a reset (-no-reboot, -no-shutdown).
 5.000  trace    web5 port-write port=0x64 value=254 pc=true
 5.000  trace    web5 SHUTDOWN guest=true reason=guest-reset
 5.000  trace    web5 STOP
 5.000  trace    web5 status shutdown
 6.000  expect   web5 reboot by guest, reset-8042, left off, likely
