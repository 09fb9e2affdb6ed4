# It is paused, resumed and paused again while nobody looks.
 5.000  qmp      web1 monitor-opened
 5.001  qmp      web1 status paused was=running
 5.001  expect   web1 pause by unknown, unseen, graceful unknown, left paused, likely, rule pause-unseen
60.000  qmp      web1 monitor-opened
60.001  qmp      web1 status running was=paused
60.001  expect   web1 resume by unknown, unseen, graceful unknown, left running, likely, rule resume-unseen
70.000  qmp      web1 STOP
70.001  qmp      web1 status paused
70.001  expect   web1 pause by operator, qmp-stop, left paused
80.000  qmp      web1 monitor-opened
80.001  qmp      web1 status running was=paused
80.001  expect   web1 resume by unknown, unseen, left running
90.000  qmp      web1 monitor-opened
90.001  qmp      web1 status paused was=running
90.001  expect   web1 pause by unknown, unseen, left paused
1h      expect   web1 5 verdicts
# A debugger holds it; or it was reset while it stood still, and stands still on.
 5.000  qmp      web2 monitor-opened
 5.001  qmp      web2 status debug was=running
 5.001  expect   web2 pause by unknown, unseen, left paused, likely, rule pause-unseen
 5.000  qmp      web3 monitor-opened
 5.001  qmp      web3 status prelaunch was=running
 5.001  expect   web3 pause by unknown, unseen, left paused, likely, rule pause-unseen
