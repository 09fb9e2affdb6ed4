# The device model's power button is pressed through vmpower, and the guest obeys.
 5.000  vmpower  web1 request power-button pid=501 comm=vmpower user=anna
 8.000  xen      web1 domain-shutdown poweroff
 8.000  expect   web1 poweroff by operator, power-button, graceful, certain, left off, actor vmpower
