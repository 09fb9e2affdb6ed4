# A crash that the kernel saw nobody send is the VMM's own, for certain.
 0.000  qmp      web1 running
 5.000  trace    web1 signal SIGSEGV own=true
 5.001  process  web1 killed SIGSEGV core=true
 6.000  expect   web1 failure by vmm, signal, not graceful, left gone, certain, rule vmm-own-signal
