// The AsyncAPI component carries its parser's schema compiler, which makes functions of strings as it loads. Our policy
// forbids that, and nothing is parsed in the page (see socket.js): so for as long as it loads it gets functions that
// find everything in order.
"use strict";

const makesFunctions = window.Function;
window.Function = new Proxy(makesFunctions, { construct: () => () => () => true });
addEventListener("DOMContentLoaded", () => (window.Function = makesFunctions));
