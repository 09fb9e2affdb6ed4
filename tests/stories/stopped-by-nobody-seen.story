# A snapshot (savevm) stops it and lets it run on, within one command: nobody has said stop or cont, and that is not certain.
 5.000  qmp      web1 STOP
 5.072  qmp      web1 RESUME
 5.072  expect   web1 resume by operator, qmp-stop, likely, left running, actor nobody, rule qmp-cont-unseen
 5.073  qmp      web1 status running
 1h     expect   web1 2 verdicts
# Nor is it where a debugger comes, or where somebody says so in its window.
 5.000  qmp      web2 STOP
 5.001  qmp      web2 status paused
 5.001  expect   web2 pause by operator, qmp-stop, likely, left paused, actor nobody, rule qmp-stop-unseen
 6.000  qmp      web2 RESUME
 6.000  expect   web2 resume by operator, qmp-stop, likely
# A breakpoint is one, whoever is at a monitor then.
 7.000  process  web2 monitor-client event=stop monitor=/run/a.qmp pid=501 comm=qmp-shell user=anna
 7.000  qmp      web2 STOP
 7.001  qmp      web2 status debug
 7.001  expect   web2 pause by operator, unseen, likely, left paused, actor nobody, rule debugger
 1h     expect   web2 3 verdicts
# Somebody was at another monitor, and was not seen: it was said there.
 5.000  process  web3 monitor-client event=stop monitor=:4444
 5.000  qmp      web3 STOP
 5.001  qmp      web3 status paused
 5.001  expect   web3 pause by operator, qmp-stop, certain, actor nobody, rule qmp-stop
