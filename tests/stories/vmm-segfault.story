# A VMM that crashes by itself is the VMM's failure, and its last words are its proof.
 0.000  qmp      web1 running
 5.000  process  web1 killed SIGSEGV core=true
 6.000  expect   web1 failure by vmm, signal, not graceful, left gone, likely, rule vmm-fault
