# Of two who could have told it nobody is accused; nor is one beside somebody who is not seen.
 5.000  process  web1 monitor-client event=stop monitor=/run/a.qmp pid=501 comm=qmp-shell user=anna
 5.000  process  web1 monitor-client event=stop monitor=/run/b.qmp pid=502 comm=libvirtd user=root
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status paused
 5.100  expect   web1 pause by operator, qmp-stop, actor nobody
 6.000  process  web1 monitor-client event=resume monitor=/run/a.qmp pid=501 comm=qmp-shell user=anna
 6.000  process  web1 monitor-client event=resume monitor=:4444
 6.000  qmp      web1 RESUME
 6.100  expect   web1 resume by operator, qmp-stop, actor nobody
# One who is connected twice is one.
 7.000  process  web1 monitor-client event=stop monitor=/run/a.qmp pid=501 comm=qmp-shell user=anna
 7.000  process  web1 monitor-client event=stop monitor=/run/b.qmp pid=501 comm=qmp-shell user=anna
 7.000  qmp      web1 STOP
 7.001  qmp      web1 status paused
 7.100  expect   web1 pause by operator, qmp-stop, actor qmp-shell
# Who was there at another event has nothing to do with this one.
 8.000  qmp      web1 RESUME
 8.100  expect   web1 resume by operator, qmp-stop, actor nobody
# Each has done what he was at his monitor for, be it at one instant.
 5.000  process  web3 monitor-client event=stop monitor=/run/a.qmp pid=501 comm=anna user=anna
 5.000  process  web3 monitor-client event=shutdown monitor=/run/b.qmp pid=502 comm=bob user=bob
 5.000  qmp      web3 SHUTDOWN guest=false reason=host-qmp-quit
 5.005  process  web3 exited 0
 6.000  expect   web3 destroy by operator, qmp-quit, certain, actor bob
