// Reloads a door display whose scripts did not start, such as after a broken connection or an update during the load. A classic script
// at the same address in every build, so that it runs where the modules do not; it imports nothing.

setTimeout(() => {
  if (!document.documentElement.hasAttribute("data-started")) location.reload();
}, 60_000);
