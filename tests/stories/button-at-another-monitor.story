# Whose finger it was is known as long as the button is: a pause in between changes nothing of that.
 5.000  process  web1 monitor-client event=powerdown monitor=/run/a.qmp pid=501 comm=qmp-shell user=anna
 5.000  qmp      web1 POWERDOWN
 6.000  qmp      web1 STOP
 6.001  qmp      web1 status paused
 7.000  qmp      web1 RESUME
20.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
20.005  process  web1 exited 0
21.000  expect   web1 poweroff by operator, power-button, graceful, actor qmp-shell
