# The guest falls, the host holds the VM, and QEMU resets it then: the kernel has seen the fall before.
 1.000  qmp      web1 running
 5.000  trace    web1 kvm-exit reason=shutdown pc=true
 5.001  qmp      web1 STOP
 5.002  qmp      web1 paused
 5.002  expect   web1 pause by operator, qmp-stop
 5.003  qmp      web1 RESET guest=true reason=guest-reset
 5.003  expect   web1 reboot by guest, triple-fault, certain
 9.000  expect   web1 2 verdicts
# Over a process that is stopped and goes on, too.
 4.999  trace    web2 port-write port=0xcf9 value=14 pc=true
 5.000  process  web2 stopped SIGSTOP
 5.100  process  web2 continued
 5.200  qmp      web2 RESET guest=true reason=guest-reset
 6.000  expect   web2 reboot by guest, reset-cf9, certain
