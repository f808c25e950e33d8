"""The only script of a page: a slider over the steps of a picture, with a line at the step and the step's text.

Without scripts, and in print, only the picture is shown. A whole sequence plays in 20 s, with at most 10 steps per
second. The play button is hidden if the reader prefers reduced motion.
"""

import base64
import hashlib

SCRIPT = """
for (const figure of document.querySelectorAll("figure[data-texts]")) {
  const texts = JSON.parse(figure.dataset.texts);
  const [left, right] = [Number(figure.dataset.left), Number(figure.dataset.right)];
  const [sheet, line, controls, play, slider, reading] =
    [".sheet", ".line", ".stepper", "button", "input", "output"].map((name) => figure.querySelector(name));
  let timer = 0;
  const show = (step) => {
    slider.value = step;
    line.style.left = `${100 * (left + (right - left) * (step + 0.5) / texts.length)}%`;
    reading.textContent = texts[step];
    slider.setAttribute("aria-valuetext", texts[step].replaceAll("\\n", "; "));
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  };
  const advance = () => (Number(slider.value) + 1 < texts.length ? show(Number(slider.value) + 1) : stop());
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(slider.value) + 1 === texts.length) show(0);
    play.textContent = "Pause";
    timer = setInterval(advance, Math.max(100, 20000 / texts.length));
  });
  slider.addEventListener("input", () => {
    stop();
    show(Number(slider.value));
  });
  sheet.addEventListener("click", (event) => {
    const box = sheet.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width - left) / (right - left);
    if (at < 0 || at >= 1) return;
    stop();
    show(Math.floor(at * texts.length));
  });
  play.hidden = matchMedia("(prefers-reduced-motion: reduce)").matches;
  line.hidden = controls.hidden = false;
  show(0);
}
"""

SHA256 = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode("ascii")
"""The script's hash for the page's policy, which allows no other script."""
