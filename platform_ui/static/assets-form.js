// Choosing a common observed property fills in what is still empty; everything can be changed.
const form = document.querySelector("form[data-datastream]");
const known = new Map([...form.querySelector("template[data-common]").content.children].map((one) => [one.dataset.name, one.dataset]));
const filled = new Map();
const fill = (name, value) => {
  const field = form.elements[name];
  if (!field || (field.value && field.value !== filled.get(name))) return;
  field.value = value;
  filled.set(name, value);
};
form.elements.observed_property.addEventListener("change", (event) => {
  const common = known.get(event.target.value);
  fill("name", event.target.value);
  if (!common) return;
  fill("unit", common.unit);
  fill("definition", common.definition);
  fill("description", common.description);
});
