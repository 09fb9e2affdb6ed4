# A failed assertion is the VMM's failure.
 0.000  qmp      web1 running
 5.000  stderr   web1 message "qemu-system-x86_64: ../hw/foo.c:12: foo: Assertion `bar' failed."
 5.001  process  web1 killed SIGABRT core=true
 6.000  expect   web1 failure by vmm, signal, not graceful, left gone
