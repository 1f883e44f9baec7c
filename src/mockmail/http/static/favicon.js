// The number of unread messages, in the title and on the icon of the page.

import { $, h } from "./dom.js";

let last = null;

export function drawUnread(count) {
  document.title = count ? `(${count}) mockmail` : "mockmail";
  if (last === count) return;
  last = count;
  const canvas = h("canvas", { width: 64, height: 64 });
  const pen = canvas.getContext("2d");
  if (!count || !pen) {
    $("favicon").href = "/static/icon.svg";
    return;
  }
  pen.fillStyle = "#2f6feb";
  pen.beginPath();
  pen.roundRect(2, 10, 60, 44, 8);
  pen.fill();
  pen.strokeStyle = "#fff";
  pen.lineWidth = 5;
  pen.stroke(new Path2D("M8 18l24 18 24-18"));
  pen.fillStyle = "#c62828";
  pen.beginPath();
  pen.arc(44, 42, 20, 0, 7);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.font = "bold 26px sans-serif";
  pen.textAlign = "center";
  pen.fillText(count > 99 ? "99" : String(count), 44, 51);
  $("favicon").href = canvas.toDataURL("image/png");
}
