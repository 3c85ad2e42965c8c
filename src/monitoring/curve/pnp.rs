//! Where `PNP4Nagios` keeps a value: `HOST/SERVICE.rrd`, or `HOST/SERVICE_LABEL.rrd` for each label, with an XML file beside
//! them that says which (`process_perfdata.pl`, `sub cleanup` and `RRD_STORAGE_TYPE`).

use super::Wanted;
use crate::system::regular_file;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The service of a host's own check.
const HOST_CHECK: &str = "_HOST_";
/// An XML file of some hundred values is smaller.
const XML_BYTES_MAX: u64 = 1_000_000;

/// A file, and the name of the data source in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) file: PathBuf,
    pub(super) data_source: String,
}

/// As PNP names files.
fn cleaned(name: &str) -> String {
    name.replace(['&', ' ', ':', '/', '\\'], "_")
}

/// A name of a file that stays in its directory.
fn component(name: &str) -> Result<String, String> {
    match cleaned(name).as_str() {
        bad @ ("" | "." | "..") => Err(format!("\"{bad}\" isn't a name of a file")),
        bad if bad.contains('\0') => Err("a name has a zero byte".to_owned()),
        good => Ok(good.to_owned()),
    }
}

/// Where the value is; an error is a reason in words.
pub(super) fn locate(directory: &Path, wanted: &Wanted<'_>) -> Result<Location, String> {
    let host = directory.join(component(wanted.host)?);
    let service = component(wanted.service.unwrap_or(HOST_CHECK))?;
    let by_position =
        || Location { file: host.join(format!("{service}.rrd")), data_source: wanted.position.to_string() };
    let own = host.join(format!("{service}_{}.rrd", cleaned(wanted.label)));
    if let Some(xml) = read(&host.join(format!("{service}.xml"))) {
        let found = data_source(&xml, wanted.label);
        let Some((file, data_source)) = found else {
            return Err(format!("{} has no \"{}\"", host.join(format!("{service}.xml")).display(), wanted.label));
        };
        // Whatever directory PNP wrote there: the file stands beside its XML file.
        let file = file.and_then(|file| Some(host.join(Path::new(&file).file_name()?)));
        let file = file.unwrap_or_else(|| if own.exists() { own } else { by_position().file });
        return Ok(Location { file, data_source });
    }
    Ok(if own.exists() { Location { file: own, data_source: "1".to_owned() } } else { by_position() })
}

fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    regular_file::open(path).ok()?.take(XML_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The file and the data source of a label.
fn data_source(xml: &str, label: &str) -> Option<(Option<String>, String)> {
    let is_it = |block: &&str| {
        element(block, "LABEL").is_some_and(|text| text == label)
            || element(block, "NAME").is_some_and(|text| text == cleaned(label))
    };
    let block = xml.split("<DATASOURCE>").skip(1).find(is_it)?;
    let data_source = element(block, "DS").filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
    Some((element(block, "RRDFILE"), data_source))
}

fn element(block: &str, name: &str) -> Option<String> {
    let block = block.split("</DATASOURCE>").next()?;
    let (_, after) = block.split_once(&format!("<{name}>"))?;
    let (text, _) = after.split_once(&format!("</{name}>"))?;
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    Some(plain.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn wanted<'a>(host: &'a str, service: Option<&'a str>, label: &'a str) -> Wanted<'a> {
        Wanted { host, service, label, position: 2, is_counter: false, from: 0, to: 1 }
    }

    #[test]
    fn files_are_named_as_pnp_names_them() {
        let directory = Path::new("/perfdata");
        let at = |wanted: Wanted<'_>| locate(directory, &wanted).map(|found| (found.file, found.data_source));
        let found = |file: &str| Ok((PathBuf::from(file), "2".to_owned()));
        assert_eq!(at(wanted("web 01", Some(r"Disk C:\"), "x")), found("/perfdata/web_01/Disk_C__.rrd"));
        assert_eq!(at(wanted("web01", None, "rta")), found("/perfdata/web01/_HOST_.rrd"));
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        let at = |host: &str, service: &str| locate(Path::new("/perfdata"), &wanted(host, Some(service), "x"));
        for bad in ["..", ".", "", "a\0b"] {
            assert!(at(bad, "Disk").is_err() && at("web01", bad).is_err(), "{bad:?}");
        }
        assert_eq!(at("../../etc", "../x").unwrap().file, Path::new("/perfdata/.._.._etc/.._x.rrd"));
    }

    #[test]
    fn the_xml_file_says_where_a_label_is() {
        let directory = tempfile::tempdir().unwrap();
        let host = directory.path().join("web01");
        fs::create_dir(&host).unwrap();
        let xml = "<NAGIOS><DATASOURCE><TEMPLATE>x</TEMPLATE><RRDFILE>/old/place/web01/Disk.rrd</RRDFILE><DS>1</DS><NAME>_</NAME>\
             <LABEL>/</LABEL></DATASOURCE>\n<DATASOURCE><RRDFILE>/old/web01/Disk__var.rrd</RRDFILE><DS>7</DS><NAME>_var</NAME>\
             <LABEL>/var &amp; more</LABEL></DATASOURCE></NAGIOS>";
        fs::write(host.join("Disk.xml"), xml).unwrap();
        let found = locate(directory.path(), &wanted("web01", Some("Disk"), "/var & more")).unwrap();
        assert_eq!(found, Location { file: host.join("Disk__var.rrd"), data_source: "7".to_owned() });
        let reason = locate(directory.path(), &wanted("web01", Some("Disk"), "/home")).unwrap_err();
        assert!(reason.ends_with("Disk.xml has no \"/home\""), "{reason}");
        fs::write(host.join("Load_load1.rrd"), "").unwrap();
        let own = locate(directory.path(), &wanted("web01", Some("Load"), "load1")).unwrap();
        assert_eq!((own.file, own.data_source.as_str()), (host.join("Load_load1.rrd"), "1"));
    }
}
