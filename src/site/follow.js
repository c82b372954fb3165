"use strict";
// A page that a server shows asks now and then whether there is a newer one. Its place is in the address, and stays.
(() => {
  const shown = "{{state}}";
  const ask = async () => {
    try {
      const answer = await fetch("/state", { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== shown) location.reload();
    } catch {
      // The server has ended: what is shown stays.
    }
    setTimeout(ask, 2000);
  };
  setTimeout(ask, 2000);
})();
