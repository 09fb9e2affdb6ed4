# KVM's system event (a hypercall of the guest's: arm's PSCI, Hyper-V's crash) does not say which one it was: it is shown, and nothing is concluded from it.
 1.000  trace    fire kvm-exit reason=system-event
 2.000  expect   fire 0 verdicts
 2.001  process  fire exited 0
 3.000  expect   fire unknown by unknown, process-exit, left gone
 4.000  qmp      web1 running
 5.000  trace    web1 kvm-exit reason=system-event pc=true
 5.001  qmp      web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by guest, guest-reset
10.000  trace    web1 kvm-exit reason=system-event pc=true
11.000  expect   web1 1 verdicts
12.000  trace    web1 signal SIGKILL pid=990 comm=kill user=root
12.000  trace    web1 kvm-exit reason=system-event pc=true
12.002  process  web1 killed SIGKILL
13.000  expect   web1 destroy by operator, signal, actor kill
