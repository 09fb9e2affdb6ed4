# A fault of its own is the VMM's, whoever sent it that signal before, and was not obeyed.
 5.000  trace    web1 signal SIGSEGV pid=990 comm=kill user=anna
35.000  trace    web1 signal SIGSEGV own=true
35.001  process  web1 killed SIGSEGV
36.000  expect   web1 failure by vmm, signal, certain, rule vmm-own-signal
