/* The proof of work, in a worker: looks for a number N such that PBKDF2-HMAC-SHA256(the ticket, salt
   "signup-pow:" N, 5000 iterations) begins with so many zero bits (signup/gate/pow.h). */
'use strict';
onmessage = async function (e) {
  try {
    var text = new TextEncoder(), bits = e.data.bits;
    var key = await crypto.subtle.importKey('raw', text.encode(e.data.ticket), 'PBKDF2', false, ['deriveBits']);
    for (var n = 0; n < 1e9; n++) {
      var algorithm = { name: 'PBKDF2', hash: 'SHA-256', salt: text.encode('signup-pow:' + n), iterations: 5000 };
      var hash = new DataView(await crypto.subtle.deriveBits(algorithm, key, 256));
      if (bits === 0 || hash.getUint32(0) >>> (32 - bits) === 0) {
        postMessage({ found: String(n) });
        return;
      }
    }
    postMessage({ found: null });
  } catch (err) {
    postMessage({ found: null });
  }
};
