// Picks a plot over the live socket, the one that closing an account uses too. Where there is no
// script or no connection, the form does the same by POST.

import { live } from "/users/settings/close/efface.js";

const plots = document.querySelector(".plots");
const news = document.querySelector("#plot-news");

plots.addEventListener("submit", async (event) => {
  if (!live?.isOpen) return;
  event.preventDefault();
  try {
    const ack = await live.push("pick_plot", { plot: event.submitter.value });
    if (ack.status !== "ok") news.textContent = ack.message;
  } catch {
    news.textContent = "The connection was interrupted. Try again.";
  }
});

// Sent to every tab and device of the member, this one included.
live?.on("plot_picked", ({ plot }) => {
  for (const button of plots.querySelectorAll(".plot.mine")) show(button, "free", "free");
  show(plots.querySelector(`[value="${plot}"]`), "mine", "yours");
  news.textContent = `Plot ${plot} is yours.`;
});

// Sent to everybody who is signed in. Whose it is now, the next load of the page says.
live?.on("plot_taken", ({ plot, freed }) => {
  const taken = plots.querySelector(`[value="${plot}"]`);
  if (taken.classList.contains("mine")) return;
  show(taken, "taken", "taken");
  if (freed) show(plots.querySelector(`[value="${freed}"]`), "free", "free");
});

function show(button, kind, crop) {
  button.className = `plot ${kind}`;
  button.disabled = kind !== "free";
  button.querySelector(".crop").textContent = crop;
  button.title = crop;
}
