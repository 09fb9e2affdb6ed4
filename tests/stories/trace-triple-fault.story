# A triple fault, by KVM's tracepoints alone.
 5.000  trace    web1 kvm-exit reason=shutdown pc=true
 5.000  trace    web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by guest, triple-fault, graceful unknown, left running, certain
