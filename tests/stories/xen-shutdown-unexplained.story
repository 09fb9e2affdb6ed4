# A reason that nobody knows yet stays unknown.
 5.000  xen      web1 domain-shutdown reason-9
 5.000  expect   web1 unknown by unknown, xen-shutdown, graceful unknown, guess, left off
