# A device model that crashes, that gives up, and that is gone, nobody knows how.
 5.000  process  web1 device-model-killed SIGSEGV
 5.000  expect   web1 failure by vmm, signal, not graceful, likely, left running, actor nobody
 5.000  process  web2 device-model-exited 1
 5.000  expect   web2 failure by vmm, process-exit, not graceful, certain, left running
 5.000  process  web3 device-model-vanished
 5.000  expect   web3 failure by unknown, unseen, left running
 5.000  process  web4 device-model-killed SIGKILL
 5.000  expect   web4 failure by operator, signal, likely, rule xen-device-model-kill-unseen, actor nobody
# SIGSEGV by somebody's hand.
 4.990  trace    web5 signal SIGSEGV pid=501 comm=kill user=anna
 5.000  process  web5 device-model-killed SIGSEGV
 5.000  expect   web5 failure by operator, signal, certain, actor kill
