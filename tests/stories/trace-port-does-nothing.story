# What the guest writes to a port where its chip is not does nothing: it runs, and whoever ends it is told.
 5.000  trace    web1 port-write port=0x604 value=8193 pc=true
 5.000  trace    web1 SHUTDOWN guest=true reason=guest-shutdown
20.000  expect   web1 0 verdicts
25.000  trace    web1 signal SIGKILL pid=990 comm=bash
25.001  process  web1 killed SIGKILL
26.000  expect   web1 destroy by operator, signal, not graceful, left gone, certain, actor bash
26.000  expect   web1 1 verdict
# So soon that it may have been about to end.
 5.000  trace    web2 port-write port=0x604 value=8193 pc=true
 5.000  trace    web2 SHUTDOWN guest=true reason=guest-shutdown
 5.300  trace    web2 signal SIGKILL pid=990 comm=bash
 5.301  process  web2 killed SIGKILL
 6.000  expect   web2 destroy by operator, signal, not graceful, left gone, likely, actor bash
# SIGTERM leaves an exit with 0.
 5.000  trace    web3 port-write port=0x604 value=8193 pc=true
 5.000  trace    web3 SHUTDOWN guest=true reason=guest-shutdown
 8.000  trace    web3 signal SIGTERM pid=990 comm=bash
 8.050  process  web3 exited 0
 9.000  expect   web3 destroy by operator, signal, not graceful, left gone, likely, actor bash
# Told to quit, by a monitor that nobody looks at.
 5.000  trace    web4 port-write port=0x604 value=8193 pc=true
 5.000  trace    web4 SHUTDOWN guest=true reason=guest-shutdown
20.000  process  web4 exited 0
21.000  expect   web4 unknown by unknown, process-exit, guess
# One that tries it again and again is believed less each time; it may have moved its chip.
 5.000  trace    web5 SHUTDOWN guest=true reason=guest-shutdown
15.000  trace    web5 port-write port=0x604 value=8193 pc=true
15.000  trace    web5 SHUTDOWN guest=true reason=guest-shutdown
15.040  process  web5 exited 0
16.000  expect   web5 poweroff by guest, acpi-s5, likely
# A write at an instant at which SIGKILL is on its way acquits nobody.
 5.000  trace    web6 SHUTDOWN guest=true reason=guest-shutdown
 5.001  trace    web6 signal SIGKILL pid=990 comm=bash
 5.002  process  web6 vanished
 6.000  expect   web6 destroy by operator, signal, not graceful, left gone, likely, actor bash
# Nothing that follows tells whether it sleeps.
 5.000  trace    web7 port-write port=0x604 value=9217 pc=true
 5.000  trace    web7 SUSPEND
 6.000  expect   web7 suspend by guest, acpi-s3, left suspended, likely
 8.000  trace    web7 signal SIGKILL pid=990 comm=bash
 8.001  process  web7 killed SIGKILL
 9.000  expect   web7 destroy by operator, signal, certain, actor bash
 9.000  expect   web7 2 verdicts
