# A SIGTERM that has done nothing for ten minutes explains nothing.
 5.000   trace    web1 signal SIGTERM pid=990 comm=sh
 605.000 process  web1 exited 0
 606.000 expect   web1 unknown by unknown, process-exit, rule exit-unexplained
