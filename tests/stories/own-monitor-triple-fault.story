# A monitor of our own tells a triple fault that was meant, with an empty interrupt table, from a crash.
 0.000  qmp      web1 running
 5.000  qmp      web1 kvm-exit reason=shutdown pc=true idt-limit=0
 5.000  qmp      web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by guest, triple-fault, graceful unknown, certain, rule triple-fault
60.000  trace    web1 kvm-exit reason=shutdown pc=true
60.000  qmp      web1 kvm-exit reason=shutdown pc=true idt-limit=4095
60.000  qmp      web1 RESET guest=true reason=guest-reset
61.000  expect   web1 crash by guest, triple-fault, not graceful, left running, certain, rule triple-fault-crash
61.000  expect   web1 2 verdicts
