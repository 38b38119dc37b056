// The choice of a theme, which the browser keeps. theme.js sets it before anything is drawn.
const foot = document.querySelector("footer.end");
if (foot) {
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", "Theme");
  for (const theme of ["system", "light", "dark"]) {
    choice.append(new Option(`Theme: ${theme}`, theme));
  }
  choice.value = document.documentElement.dataset.theme ?? "system";
  choice.addEventListener("change", () => {
    const theme = choice.value === "system" ? "" : choice.value;
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    try {
      if (theme) localStorage.setItem("theme", theme);
      else localStorage.removeItem("theme");
    } catch {
      // It holds for this page.
    }
  });
  foot.append(" ", choice);
}
