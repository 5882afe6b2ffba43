"""Load assets of a STAC item with odc-stac; the arrays go to an .npz. Runs in .peers."""

import sys

import numpy as np
import odc.stac
import pystac

item_path, out, crs, resolution, *bands = sys.argv[1:]
item = pystac.Item.from_file(item_path)
item.make_asset_hrefs_absolute()
data = odc.stac.load([item], bands=bands, crs=crs, resolution=float(resolution))
arrays = {name: entry.isel(time=0).to_numpy() for name, entry in data.data_vars.items()}
nodata = {
    f"{name}.nodata": entry.attrs.get("nodata", np.nan) for name, entry in data.data_vars.items()
}
np.savez(out, x=data.x.to_numpy(), y=data.y.to_numpy(), **arrays, **nodata)
