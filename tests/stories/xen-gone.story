# That a domain is gone which had shut down before nobody looked explains nothing.
 5.000  xen      web1 domain-gone false
 5.000  expect   web1 unknown by unknown, unseen, graceful unknown, guess, left gone
