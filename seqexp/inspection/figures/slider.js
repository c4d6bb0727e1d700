// Shows one inspection at a time, the one that the slider is at.
"use strict";
(() => {
  const sections = [...document.querySelectorAll("section[data-step]")];
  const slider = document.getElementById("slider");
  const input = slider.querySelector("input");
  const output = slider.querySelector("output");
  const show = () => {
    sections.forEach((section, i) => { section.hidden = i !== Number(input.value); });
    output.textContent = sections[input.value].dataset.step;
  };
  slider.hidden = sections.length < 2;
  input.addEventListener("input", show);
  input.value = sections.length - 1;  // a browser may restore another after a reload
  show();
})();
