# A signal that ends a VMM before it has its handler is an operator's.
 0.010  process  web1 killed SIGTERM
 1.000  expect   web1 destroy by operator, signal, not graceful, rule signal-end
