# Without a monitor, a VMM that ends in order after a signal was destroyed by its sender.
 5.000  stderr   web1 signal SIGINT pid=990 comm=sh
 5.005  process  web1 exited 0
 6.000  expect   web1 destroy by operator, signal, not graceful, left gone, actor sh, rule signal-exit
